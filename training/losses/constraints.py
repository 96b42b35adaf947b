"""Constraints that let codes be as similar as the features that they were made of.

All take features [B, D], L2-normalised, and their codes [B, D] of -1 and +1, as float32, and how
much of the batch's pairs to look at. They need the similarities of the batch, B x B, and not the
vectors of each pair, so that all pairs cost no more memory than a few.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.pairs import Pairs


def similarity_constrained(
    features: Tensor, codes: Tensor, pairs: Pairs, fraction: float
) -> Tensor:
    """Return the similarity-constrained loss, a scalar (Eq. 9 to 11).

    The mean over pairs of the squared difference between the features' cosine and the codes'.
    fraction: of the pairs, drawn by torch's global CPU generator; 1 takes all and draws nothing.
    Without a pair it is zero, with a gradient of zeros.
    """
    difference = _similarities(features) - _similarities(codes) / codes.shape[1]
    return _mean_square(difference, pairs, fraction)


def locality_constrained(features: Tensor, codes: Tensor, pairs: Pairs, fraction: float) -> Tensor:
    """Return the locality-constrained loss, a scalar (LC in Table XIV).

    As similarity_constrained, but a similarity is the sigmoid of the inner product, of features or
    of codes divided by the square root of D: both are unit vectors. (The paper names the sigmoid
    and leaves scale and distance open; those here are the ones of Eq. 9 to 11.)
    """
    of_codes = torch.sigmoid(_similarities(codes) / codes.shape[1])
    difference = torch.sigmoid(_similarities(features)) - of_codes
    return _mean_square(difference, pairs, fraction)


def _similarities(vectors: Tensor) -> Tensor:
    return vectors @ vectors.T


def _mean_square(difference: Tensor, pairs: Pairs, fraction: float) -> Tensor:
    anchors, others = pairs.joined()
    if not len(anchors):
        return difference.sum() * 0.0
    if fraction < 1:
        count = max(1, round(fraction * len(anchors)))
        drawn = torch.randperm(len(anchors))[:count].to(anchors.device)
        anchors, others = anchors[drawn], others[drawn]
    return difference[anchors, others].square().mean()
