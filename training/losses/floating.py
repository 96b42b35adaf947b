"""The loss of the float branch."""

from __future__ import annotations

import torch
from torch import Tensor

from training.losses.multi_similarity import multi_similarity
from training.losses.pairs import mine
from training.losses.terms import Loss, LossTerms


def float_loss() -> Loss:
    """Return the float branch's loss: multi-similarity over the mined pairs (Eq. 16)."""
    return _float_loss


def _float_loss(vectors: Tensor, labels: Tensor) -> LossTerms:
    with torch.autocast(vectors.device.type, enabled=False):
        vectors = vectors.float()
        pairs = mine(vectors.detach(), labels)
        total = multi_similarity(vectors, labels, pairs)
    return LossTerms(total, {"multi_similarity": total.detach(), **pairs.counts()})
