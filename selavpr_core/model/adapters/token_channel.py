"""The token/channel-alternating adapter: low-rank mixing over channels, then over patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.adapters.bottleneck import BottleneckMlp, start_at_zero
from selavpr_core.model.tokens import split_tokens

# The grid of 224 x 224 pixels, at which the method trains; weights of other grids follow from it.
_GRID = (16, 16)
_TOKEN_RANK = 64
_CHANNEL_RANK_DIVISOR = 8


class TokenMixer(nn.Module):
    """Low-rank mixing over the patches of a map, the same for every channel.

    Its weights are maps of 16 x 16: what each patch gives to each of 64 sums, and what each sum
    gives back to each patch. On another grid h x w they are resampled bilinearly, the first ones
    divided by how many more patches there are, so that the sums stay what they were: a network
    trained at 224 x 224 then works at any inference size. Zero before training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(_GRID[0] * _GRID[1], _TOKEN_RANK)
        self.up = nn.Linear(_TOKEN_RANK, _GRID[0] * _GRID[1])
        start_at_zero(self.down, self.up)

    def forward(self, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """patches: [B, h * w, C], grid: (h, w); returns the same shape."""
        gather: Tensor = self.down.weight
        spread: Tensor = self.up.weight
        offset: Tensor = self.up.bias
        if grid != _GRID:
            share = _GRID[0] * _GRID[1] / (grid[0] * grid[1])
            gather = _resampled(gather, grid) * share
            spread = _resampled(spread.T, grid).T
            offset = _resampled(offset[None], grid)[0]
        sums = functional.gelu(functional.linear(patches.transpose(1, 2), gather, self.down.bias))
        return functional.linear(sums, spread, offset).transpose(1, 2)


def _resampled(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """[n, 16 * 16] to [n, h * w] in the same dtype."""
    planes = maps.float().unflatten(1, _GRID)[None]
    planes = functional.interpolate(planes, grid, mode="bilinear", antialias=True)
    return planes[0].flatten(1).to(maps.dtype)


class TokenChannelAdapter(nn.Module):
    """Mixes the channels of each token, then the patches of the map with that added.

    After LoSA ("Time-, Memory- and Parameter-Efficient Visual Adaptation"). A class token before
    the patches has its channels mixed and takes no part in the mixing of patches.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.channels = BottleneckMlp(embed_dim, embed_dim // _CHANNEL_RANK_DIVISOR)
        self.patches = TokenMixer()

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, (1 +) h * w, D], grid: (h, w); returns the same shape."""
        update = self.channels(tokens)
        _, patches = split_tokens(tokens + update, grid)
        class_update, patch_update = split_tokens(update, grid)
        return torch.cat([class_update, patch_update + self.patches(patches, grid)], dim=1)
