"""The MultiConv adapter: convolutions of three sizes on the map of patches."""

from __future__ import annotations

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

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, h, w] to the same shape."""
        paths = (self.path1(features), self.path3(features), self.path5(features))
        return features + torch.cat(paths, dim=1)


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
        # A transposed view is a channels-last map: no copy on the way in or out.
        patches = self.multi_conv(patches.transpose(1, 2).unflatten(2, grid))
        patches = patches.flatten(2).transpose(1, 2)
        return self.up(torch.cat([class_token, patches], dim=1) if class_token.numel() else patches)
