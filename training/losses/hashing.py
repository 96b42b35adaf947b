"""The losses of the hash branch: the paper's own and those it is compared with (Table XIV)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.losses.floating import float_loss
from training.losses.multi_similarity import multi_similarity
from training.losses.pairs import Pairs, all_pairs, mine
from training.losses.terms import Loss, LossTerms

HASH_METHODS = ("selavpr++", "direct", "lc", "sc", "ste")


def hash_loss(method: str = "selavpr++", weight: float = 0.1, pair_fraction: float = 1.0) -> Loss:
    """Return a loss for the hash branch, by name."""
    if method not in HASH_METHODS:
        raise ValueError(f"unknown hashing method {method!r}; there are {', '.join(HASH_METHODS)}")
    if method == "direct":
        return float_loss()

    def loss(vectors: Tensor, labels: Tensor) -> LossTerms:
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.float()
            if method == "lc":
                return _likelihood(vectors, labels)
            codes: Tensor = _Sign.apply(vectors)
            compared = vectors if method == "sc" else codes
            pairs = mine(compared.detach(), labels)
            total = multi_similarity(compared, labels, pairs)
            parts = {"multi_similarity": total.detach()}
            if method != "ste":
                constraint = similarity_constrained(vectors, codes, pairs, pair_fraction)
                parts["similarity_constrained"] = constraint.detach()
                total = total + weight * constraint
            return LossTerms(total, {**parts, **pairs.counts()})

    return loss


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def similarity_constrained(
    features: Tensor, codes: Tensor, pairs: Pairs, fraction: float
) -> Tensor:
    """Return the similarity-constrained loss, a float32 scalar (Eq. 9 to 11)."""
    firsts = torch.cat([pairs.positives[0], pairs.negatives[0]])
    seconds = torch.cat([pairs.positives[1], pairs.negatives[1]])
    if fraction < 1:
        kept = torch.randperm(len(firsts))[: round(len(firsts) * fraction)].to(firsts.device)
        firsts, seconds = firsts[kept], seconds[kept]
    difference = features @ features.T - codes @ codes.T / codes.shape[1]
    if not len(firsts):
        return difference.sum() * 0
    return difference[firsts, seconds].square().mean()


def _likelihood(vectors: Tensor, labels: Tensor) -> LossTerms:
    pairs = all_pairs(labels)
    products = vectors @ vectors.T * (vectors.shape[1] / 2)
    same = (labels[:, None] == labels[None, :]).float()
    losses = functional.softplus(products) - same * products
    total = losses.mean()
    return LossTerms(total, {"likelihood": total.detach(), **pairs.counts()})
