"""The vanilla adapter of a side network: it looks at each token by itself."""

from __future__ import annotations

from torch import Tensor, nn

from selavpr_core.model.adapters.bottleneck import BottleneckMlp


class VanillaAdapter(nn.Module):
    """Linear D -> D/2, ReLU, Linear D/2 -> D; zero before training."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.mlp = BottleneckMlp(embed_dim, embed_dim // 2)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """[B, N, D] to the same shape; the grid does not matter."""
        return self.mlp(tokens)
