"""The adapters that a strategy's name stands for."""

from __future__ import annotations

from torch import nn

from selavpr_core.model.adapters.multi_conv import MultiConvAdapter
from selavpr_core.model.adapters.vanilla import VanillaAdapter

# What refines a side network's state after a block: built from the width, called with tokens
# [B, (1 +) h * w, D] and the grid (h, w), and zero before training.
_SIDE_ADAPTERS: dict[str, type[nn.Module]] = {
    "multi-conv": MultiConvAdapter,
    "vanilla": VanillaAdapter,
}


def side_adapter(name: str, embed_dim: int) -> nn.Module:
    """Return a new adapter of a side network."""
    return _SIDE_ADAPTERS[name](embed_dim)
