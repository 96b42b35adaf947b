"""What a step minimises: the losses of the branches that are trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from selavpr_core.model import Output
from training.losses import Loss, LossTerms, float_loss, hash_loss
from training.run.config import LossConfig
from training.run.gathering import gather_batch
from training.run.network import Branch

Objective = Callable[[Output, Tensor], LossTerms]


def make_objective(config: LossConfig, trained: tuple[Branch, ...]) -> Objective:
    """Return a function from outputs and labels [B] of this process to the loss over all of them.

    With several processes every one returns the same loss, over the pairs of the undivided batch,
    given that their CPU generators are in the same state. Two branches' losses are added; their
    parts are named "float/..." and "hash/...".
    """
    losses: dict[Branch, Loss] = {}
    if "float" in trained:
        losses["float"] = float_loss()
    if "hash" in trained:
        losses["hash"] = hash_loss(config.hashing, config.weight, config.pair_fraction)

    def objective(output: Output, labels: Tensor) -> LossTerms:
        totals, parts = [], {}
        for branch, loss in losses.items():
            vectors = output.descriptor if branch == "float" else output.hash
            assert vectors is not None
            terms = loss(*gather_batch(vectors, labels))
            totals.append(terms.total)
            parts.update({f"{branch}/{name}": value for name, value in terms.parts.items()})
        return LossTerms(torch.stack(totals).sum(), parts)

    return objective
