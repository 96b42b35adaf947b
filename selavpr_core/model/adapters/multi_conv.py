"""The MultiConv adapter: convolutions of three sizes on the map of patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.adapters.bottleneck import start_at_zero
from selavpr_core.model.tokens import split_tokens


class ConvUnit(nn.Module):
    """Convolution that keeps the map's size, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)
        for parameter in self.conv.parameters():
            nn.init.constant_(parameter, 1e-5)

    def forward(self, features: Tensor) -> Tensor:
        """[B, inputs, h, w] to [B, outputs, h, w]."""
        return functional.relu(self.bn(self.conv(features)))


class MultiConv(nn.Module):
    """Three parallel paths (1x1; 1x1 then 3x3; 1x1 then 5x5), concatenated, added to their input.

    They give one half, one quarter and one quarter of the channels; the 1x1 before a larger
    kernel keeps one sixteenth.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter, narrow = channels // 2, channels // 4, channels // 16
        self.path1 = ConvUnit(channels, half, 1)
        self.path3 = nn.Sequential(ConvUnit(channels, narrow, 1), ConvUnit(narrow, quarter, 3))
        self.path5 = nn.Sequential(ConvUnit(channels, narrow, 1), ConvUnit(narrow, quarter, 5))

    def forward(self, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """patches: [B, h * w, C], grid: (h, w); returns the same shape."""
        wide, narrow3, narrow5 = self._entries(patches, grid)
        paths = torch.cat([wide, self.path3[1](narrow3), self.path5[1](narrow5)], dim=1)
        return patches + paths.flatten(2).transpose(1, 2)

    def _entries(self, patches: Tensor, grid: tuple[int, int]) -> Sequence[Tensor]:
        """Return what the 1x1 unit of each path gives, [B, n, h, w].

        They read the same patches: computed as one product and one normalisation, the patches,
        which are most of the traffic, are read once in each direction.
        """
        units: list[Any] = [self.path1, self.path3[0], self.path5[0]]
        weight = torch.cat([unit.conv.weight for unit in units]).flatten(1)
        bias = torch.cat([unit.conv.bias for unit in units])
        # A transposed view is a channels-last map: no copy on the way in or out.
        entries = functional.linear(patches, weight, bias).transpose(1, 2).unflatten(2, grid)
        normalised = _normalised(entries, [unit.bn for unit in units])
        return functional.relu(normalised).split([unit.conv.out_channels for unit in units], dim=1)


def _normalised(maps: Tensor, norms: Sequence[Any]) -> Tensor:
    """Apply batch normalisations to the channels that belong to each.

    maps: [B, sum of their channels, h, w]. In training mode their statistics are updated.
    """
    widths = [norm.num_features for norm in norms]
    if isinstance(norms[0], nn.SyncBatchNorm):  # it gathers its statistics from all processes
        parts = zip(norms, maps.split(widths, dim=1), strict=True)
        return torch.cat([norm(part) for norm, part in parts], dim=1)
    joint = {
        name: torch.cat([getattr(norm, name) for norm in norms])
        for name in ("running_mean", "running_var", "weight", "bias")
    }
    training, momentum, eps = norms[0].training, norms[0].momentum, norms[0].eps
    normalised = functional.batch_norm(maps, **joint, training=training, momentum=momentum, eps=eps)
    if training:
        for name in ("running_mean", "running_var"):
            for norm, values in zip(norms, joint[name].split(widths), strict=True):
                getattr(norm, name).copy_(values)
        for norm in norms:
            norm.num_batches_tracked.add_(1)
    return normalised


class MultiConvAdapter(nn.Module):
    """Linear D -> D/2, ReLU, MultiConv on the map of patches, Linear D/2 -> D.

    Before training its output is zero, whatever the input.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.down = nn.Linear(embed_dim, embed_dim // 2)
        self.multi_conv = MultiConv(embed_dim // 2)
        self.up = nn.Linear(embed_dim // 2, embed_dim)
        start_at_zero(self.down, self.up)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, h * w, D] of the patches, grid: (h, w); returns the same shape.

        A class token before the patches passes through the linear parts alone.
        """
        class_token, patches = split_tokens(functional.relu(self.down(tokens)), grid)
        patches = self.multi_conv(patches, grid)
        return self.up(torch.cat([class_token, patches], dim=1) if class_token.numel() else patches)
