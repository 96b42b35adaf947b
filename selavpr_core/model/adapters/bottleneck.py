"""The bottleneck that adapters are built around."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def bottleneck(embed_dim: int, width: int) -> tuple[nn.Linear, nn.Linear]:
    """Return Linear D -> width (truncated normal, std 0.02) and Linear width -> D (all zero)."""
    down, up = nn.Linear(embed_dim, width), nn.Linear(width, embed_dim)
    nn.init.trunc_normal_(down.weight, std=0.02)
    for zero in (down.bias, up.weight, up.bias):
        nn.init.zeros_(zero)
    return down, up


class BottleneckMlp(nn.Module):
    """Linear D -> D/2, ReLU, Linear D/2 -> D on each token by itself; zero before training."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.down, self.up = bottleneck(embed_dim, embed_dim // 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, D] to the same shape."""
        return self.up(functional.relu(self.down(tokens)))
