"""How far a prediction is from what a teacher says."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def distillation_losses(predicted: Tensor, target: Tensor) -> Tensor:
    """Return 1 - cosine, the mean over an image's M vectors: [B] float32.

    predicted, target: [B, M, C]. Half precision is computed in float32.
    """
    with torch.autocast(predicted.device.type, enabled=False):
        cosines = functional.cosine_similarity(predicted.float(), target.float(), dim=-1)
        return 1 - cosines.mean(dim=1)
