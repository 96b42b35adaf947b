"""What a student is to predict: a teacher's features, centred."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Of a batch in the mean, once enough have been seen.
_LEAST_SHARE = 0.01


class RunningMean(nn.Module):
    """The mean of each channel over what has been seen so far; the last hundred batches, about.

    Features after a ReLU all point the same way: without their mean, what tells images apart is a
    small part of a cosine.
    """

    mean: Tensor
    batches: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def update(self, rows: Tensor) -> None:
        """Take a batch into account: [N, C] float32."""
        self.batches += 1
        share = max(1.0 / int(self.batches), _LEAST_SHARE)
        self.mean.lerp_(rows.mean(dim=0), share)

    def centred(self, vectors: Tensor) -> Tensor:
        """Return [..., C] less the mean, each vector of length 1."""
        return functional.normalize(vectors - self.mean, dim=-1)
