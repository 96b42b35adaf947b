"""The vanilla adapter of a side network: it looks at each token by itself."""

from __future__ import annotations

from torch import Tensor

from selavpr_core.model.adapters.bottleneck import BottleneckMlp


class VanillaAdapter(BottleneckMlp):
    """Linear D -> D/2, ReLU, Linear D/2 -> D; zero before training."""

    def forward(self, tokens: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
        """[B, N, D] to the same shape; the grid does not matter."""
        return super().forward(tokens)
