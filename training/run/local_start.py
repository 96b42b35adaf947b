"""A random backbone whose heads look at neighbouring patches from the first step on."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from selavpr_core.model.backbone import Backbone
from selavpr_core.model.settings import ModelSettings

# Where the heads look, in patches to the right and down; one after the other, block by block.
_OFFSETS = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)]
# Of the waves that positions are written in, in patches: the shortest tells neighbours apart, the
# longest the two ends of an image.
_SHORTEST, _LONGEST = 3.5, 40.0
_AMPLITUDE = 0.7  # of a wave, about that of what a patch holds
_SHARPNESS = 1.6  # of a head's look: a patch two away counts for next to nothing
_OTHERS = 0.3  # what is left of the random weights that compare contents


@torch.no_grad()
def start_locally(backbone: Backbone, settings: ModelSettings) -> None:
    """Set where the heads of a backbone look: each at a patch's neighbour, as a convolution does.

    A transformer learns from many images that what is near belongs together; this one begins with
    it (J. Zheng et al., "Structured initialization for vision transformers", with given offsets in
    queries and keys instead of random filters). Positions are waves, in as many of the first
    channels as a head has, which patches leave empty; a head's query is its own position shifted
    by an offset, and its key the position. Everything is trained from there.
    """
    channels = settings.embed_dim // settings.num_heads
    lengths = torch.logspace(math.log10(_LONGEST), math.log10(_SHORTEST), channels // 4)
    waves = 2 * math.pi / lengths
    backbone.pos_embed.zero_()
    backbone.pos_embed[0, 1:, : 4 * len(waves)] = _positions(settings.native_grid, waves)
    backbone.patch_embed.proj.weight[: 4 * len(waves)] = 0
    backbone.patch_embed.proj.bias[: 4 * len(waves)] = 0
    block: Any
    for number, block in enumerate(backbone.blocks):
        heads = range(number * settings.num_heads, (number + 1) * settings.num_heads)
        offsets = [_OFFSETS[head % len(_OFFSETS)] for head in heads]
        _look(block.attn.qkv, block.attn.proj, offsets, waves)


def _positions(side: int, waves: Tensor) -> Tensor:
    """Return the positions of side x side patches, [side^2, 4 W]: cos and sin of x, then of y."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    parts = []
    for along in (column, row):
        phases = along.reshape(-1, 1) * waves
        parts.extend([phases.cos(), phases.sin()])
    return _AMPLITUDE * torch.cat(parts, dim=1)


def _look(
    qkv: nn.Linear, projection: nn.Linear, offsets: list[tuple[int, int]], waves: Tensor
) -> None:
    """Let each head of a block look at the patch that lies at its offset (right, down)."""
    query, key, value = qkv.weight.chunk(3)
    query *= _OTHERS
    key *= _OTHERS
    channels = len(query) // len(offsets)
    used = 4 * len(waves)
    for head, (right, down) in enumerate(offsets):
        rows = slice(head * channels, head * channels + used)
        query[rows] = 0
        key[rows] = 0
        query[rows, :used] = _SHARPNESS * torch.block_diag(
            _turn(right * waves), _turn(down * waves)
        )
        key[rows, :used] = _SHARPNESS * torch.eye(used)
    qkv.bias.zero_()
    nn.init.orthogonal_(value)
    nn.init.orthogonal_(projection.weight, gain=0.5)


def _turn(angles: Tensor) -> Tensor:
    """Return the matrix that adds angles to the phases of (cos, sin), [2 W, 2 W]."""
    cos, sin = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([cos, -sin], dim=1), torch.cat([sin, cos], dim=1)])
