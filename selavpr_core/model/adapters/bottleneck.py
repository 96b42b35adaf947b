"""The bottleneck that adapters are built around."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def start_at_zero(down: nn.Linear, up: nn.Linear) -> None:
    """Set down to a truncated normal of std 0.02 without bias, and up to zero."""
    nn.init.trunc_normal_(down.weight, std=0.02)
    for zero in (down.bias, up.weight, up.bias):
        nn.init.zeros_(zero)


class BottleneckMlp(nn.Module):
    """Linear D -> width, ReLU, Linear width -> D on each token by itself; zero before training."""

    def __init__(self, embed_dim: int, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(embed_dim, width)
        self.up = nn.Linear(width, embed_dim)
        start_at_zero(self.down, self.up)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, D] to the same shape."""
        return self.up(functional.relu(self.down(tokens)))
