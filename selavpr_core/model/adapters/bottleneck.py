"""The bottleneck that adapters are built around."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def bottleneck(inputs: int, width: int) -> tuple[nn.Linear, nn.Linear]:
    """Return Linear inputs -> width (truncated normal, std 0.02) and one back (all zero)."""
    down, up = nn.Linear(inputs, width), nn.Linear(width, inputs)
    nn.init.trunc_normal_(down.weight, std=0.02)
    for zero in (down.bias, up.weight, up.bias):
        nn.init.zeros_(zero)
    return down, up


class BottleneckMlp(nn.Module):
    """Linear D -> width, ReLU, Linear width -> D on each token by itself; zero before training."""

    def __init__(self, embed_dim: int, width: int) -> None:
        super().__init__()
        self.down, self.up = bottleneck(embed_dim, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, N, D] to the same shape."""
        return self.up(functional.relu(self.down(tokens)))
