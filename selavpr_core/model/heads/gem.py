"""The method's own head: generalised mean pooling between two linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.heads.head import Head


class GeM(nn.Module):
    """Generalised mean over the patches, with one learnable exponent for all channels."""

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), p))
        self.eps = eps

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, C] to [B, C]."""
        return tokens.clamp(min=self.eps).pow(self.p).mean(dim=1).pow(1.0 / self.p)


class GeMHead(Head):
    """Linear D -> D, L2 over the channels of each patch, GeM, Linear D -> outputs, L2.

    From the first norm on it computes in float32 whatever surrounds it: cubes of what GeM clamps
    at 1e-6 are zero in half precision.
    """

    def __init__(self, embed_dim: int, outputs: int) -> None:
        super().__init__(embed_dim, outputs)
        self.linear1 = nn.Linear(embed_dim, embed_dim)
        self.gem = GeM()
        self.linear2 = nn.Linear(embed_dim, outputs)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, h * w, D] of the patches; returns [B, outputs] float32 of length 1."""
        features = self.linear1(tokens.to(self.linear1.weight.dtype)).float()
        with torch.autocast(tokens.device.type, enabled=False):
            features = functional.normalize(features, dim=2)
            return functional.normalize(self.linear2(self.gem(features)), dim=1)
