"""Adapters: what refines tokens, beside the backbone or inside its blocks."""

from __future__ import annotations

from torch import nn

from selavpr_core.model.adapters.in_block import InBlockAdapters
from selavpr_core.model.adapters.multi_conv import MultiConvAdapter
from selavpr_core.model.adapters.token_channel import TokenChannelAdapter
from selavpr_core.model.adapters.vanilla import VanillaAdapter

__all__ = [
    "InBlockAdapters",
    "MultiConvAdapter",
    "TokenChannelAdapter",
    "VanillaAdapter",
    "side_adapter",
]

# What refines a side network's state after a block: built from the width, called with tokens
# [B, (1 +) h * w, D] and the grid (h, w), and zero before training.
_SIDE_ADAPTERS: dict[str, type[nn.Module]] = {
    "multi-conv": MultiConvAdapter,
    "vanilla": VanillaAdapter,
    "token-channel": TokenChannelAdapter,
}


def side_adapter(name: str, embed_dim: int) -> nn.Module:
    """Return a new adapter of a side network, one of settings.SIDE_ADAPTERS."""
    return _SIDE_ADAPTERS[name](embed_dim)
