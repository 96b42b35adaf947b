"""A network made ready for inference, beside the one that was loaded."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.adapters.multi_conv import ConvUnit, MultiConvAdapter
from selavpr_core.model.selavpr import SelaVPR
from selavpr_core.model.tokens import split_tokens


def inference_copy(model: SelaVPR, device: torch.device, dtype: torch.dtype) -> SelaVPR:
    """Return a frozen copy in eval mode on a device, its backbone and adapters in a dtype.

    Batch normalisation is folded into the convolutions. The final norm, the heads and the
    position embedding stay in float32. Tensors that need no conversion are shared with the
    original, which is left as it is.
    """
    # deepcopy takes what stands in its memo for a copy: new parameters over the same storage,
    # because moving a module writes into its parameters.
    shared: dict[int, object] = {
        id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()
    }
    shared |= {id(b): b.detach() for b in model.buffers()}
    ready = copy.deepcopy(model, shared).eval()
    for branch in ready.branches():
        for number, adapter in branch.adapters.items():
            if isinstance(adapter, MultiConvAdapter):
                branch.adapters[number] = FoldedMultiConv(adapter)
    ready.requires_grad_(False).to(device)
    ready.backbone.patch_embed.to(dtype)
    ready.backbone.blocks.to(dtype)
    ready.backbone.adapters.to(dtype)
    for branch in ready.branches():
        branch.adapters.to(dtype)
    return ready


class FoldedMultiConv(nn.Module):
    """What a `MultiConvAdapter` computes in eval mode, in fewer and larger steps.

    Its batch normalisations are part of the convolutions before them, and the three 1x1
    convolutions, which read the same features, are one matrix product over the tokens.
    """

    def __init__(self, adapter: MultiConvAdapter) -> None:
        super().__init__()
        paths = adapter.multi_conv
        self.down = adapter.down
        self.up = adapter.up
        self.conv3 = _folded(paths.path3[1])
        self.conv5 = _folded(paths.path5[1])
        entries = [_folded(unit) for unit in (paths.path1, paths.path3[0], paths.path5[0])]
        # How the channels of the product, and of the three paths' concatenation, are divided.
        self.entry_widths = [entry.out_channels for entry in entries]
        self.path_widths = [entries[0].out_channels, *(c.out_channels for c in self._convs())]
        self.entry = nn.Linear(self.down.out_features, sum(self.entry_widths), device="meta")
        self.entry.weight = nn.Parameter(torch.cat([e.weight for e in entries]).flatten(1))
        self.entry.bias = nn.Parameter(torch.cat([_bias(entry) for entry in entries]))

    def _convs(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        return self.conv3, self.conv5

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, h * w, D] of the patches, grid: (h, w); returns the same shape."""
        features = functional.relu(self.down(tokens))
        _, patches = split_tokens(features, grid)  # a view: what is added to it reaches `up`
        entries = functional.relu(self.entry(patches)).split(self.entry_widths, dim=2)
        paths = patches.split(self.path_widths, dim=2)
        paths[0].add_(entries[0])
        for conv, entry, path in zip(self._convs(), entries[1:], paths[1:], strict=True):
            refined = functional.relu(conv(entry.transpose(1, 2).unflatten(2, grid)))
            path.add_(refined.flatten(2).transpose(1, 2))
        return self.up(features)


def _folded(unit: nn.Module) -> nn.Conv2d:
    """Return a convolution that does what a unit's convolution and normalisation do in eval."""
    assert isinstance(unit, ConvUnit)
    conv, bn = unit.conv, unit.bn
    assert bn.running_mean is not None
    assert bn.running_var is not None
    gain = bn.weight * torch.rsqrt(bn.running_var + bn.eps)
    kernel = conv.kernel_size[0]
    folded = nn.Conv2d(
        conv.in_channels, conv.out_channels, kernel, padding=kernel // 2, device="meta"
    )
    folded.weight = nn.Parameter((conv.weight * gain[:, None, None, None]).detach())
    folded.bias = nn.Parameter(((_bias(conv) - bn.running_mean) * gain + bn.bias).detach())
    return folded


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
