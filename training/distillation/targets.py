"""What a student is to predict: a teacher's features, centred and half whitened."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Full whitening (1) would make noise of the weakest directions as long as what tells places apart.
_WHITENING = 0.5
_LEAST_SHARE = 1e-2  # of the longest direction's deviation: shorter ones were not seen


class HalfWhitening(nn.Module):
    """Features less their mean, each principal direction divided by the root of its deviation.

    Features after a ReLU all point the same way, and differ most in what places have in common:
    a plain cosine hardly sees what tells them apart.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.eye(channels))

    def fit(self, rows: Tensor) -> None:
        """Take mean and directions from features, [N, C] float32."""
        mean = rows.mean(dim=0, dtype=torch.float64)
        centred = rows - mean.float()
        covariance = (centred.T @ centred).double() / len(rows)
        variances, directions = torch.linalg.eigh(covariance)
        deviations = variances.clamp(min=0).sqrt()
        weights = deviations.clamp(min=torch.finfo(torch.float64).tiny) ** -_WHITENING
        weights[deviations < _LEAST_SHARE * deviations[-1]] = 0
        self.mean.copy_(mean)
        self.matrix.copy_(directions * weights @ directions.T)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return [..., C] float32 whitened, each vector of length 1."""
        return functional.normalize((vectors - self.mean) @ self.matrix, dim=-1)
