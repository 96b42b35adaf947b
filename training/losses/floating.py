"""The loss of the float branch."""

from __future__ import annotations

from torch import Tensor

from training.losses.multi_similarity import multi_similarity
from training.losses.pairs import mine
from training.losses.terms import Loss, LossTerms, full_precision


def float_loss() -> Loss:
    """Return the float branch's loss: multi-similarity over the mined pairs (Eq. 16).

    A batch without a pair of one place, or without one of two places, costs zero, with a gradient
    of zeros. Vectors in half precision are computed in float32.
    """
    return _float_loss


def _float_loss(vectors: Tensor, labels: Tensor) -> LossTerms:
    with full_precision(vectors) as features:
        pairs = mine(features, labels)
        total = multi_similarity(features, labels, pairs)
    return LossTerms(total, {"multi_similarity": total.detach(), **pairs.counts()})
