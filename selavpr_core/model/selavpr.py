"""The whole network: one pass of the backbone, refined by one or two branches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from selavpr_core.model.backbone import Backbone
from selavpr_core.model.settings import PATCH_SIZE, ModelSettings
from selavpr_core.model.side_network import SideNetwork


class Output(NamedTuple):
    """What the branches give for B images; None for a branch that was left out.

    descriptor: [B, D] float32, L2-normalised.
    hash: [B, code_bits] float32, L2-normalised, before the sign.
    codes: [B, code_bits / 8] uint8: one bit an entry of `hash`, set where it is >= 0, the most
        significant bit first.
    """

    descriptor: Tensor | None
    hash: Tensor | None
    codes: Tensor | None


class SelaVPR(nn.Module):
    """SelaVPR++: a frozen DINOv2 with a float branch, a hash branch, or both.

    It computes in float32; `Describer` runs it in half precision, with the heads in float32.

    source: what `from_pretrained` was given, None for a network that was built otherwise.
    pretrained: whether the weights were trained at all.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.source: str | None = None
        self.pretrained = False
        self.backbone = Backbone(settings)
        self.float_branch: SideNetwork | None = None
        self.hash_branch: SideNetwork | None = None
        if "float" in settings.branches:
            self.float_branch = SideNetwork(settings, settings.descriptor_dim)
        if "hash" in settings.branches:
            self.hash_branch = SideNetwork(settings, settings.code_bits)

    @classmethod
    def from_pretrained(cls, name_or_path: str) -> SelaVPR:
        """Return a network with its weights, on the CPU, in float32 and in eval mode.

        name_or_path: "base" or "large" (the published weights, fetched once and cached), a
        published .pth or our .safetensors file, or "random:PRESET" (untrained, always the same).
        Raises WeightsError where the file is damaged or does not fit, WeightsUnavailableError
        where published weights can be neither found nor fetched.
        """
        from selavpr_core.weights.loading import load_model  # it builds on this module

        return load_model(name_or_path)

    def branches(self) -> list[SideNetwork]:
        """Return the branches that the network was built with, the float branch first."""
        return [branch for branch in (self.float_branch, self.hash_branch) if branch is not None]

    def forward(self, images: Tensor) -> Output:
        """Describe images.

        images: [B, 3, H, W], normalised RGB, H and W multiples of 14; ValueError otherwise.
        """
        grid = (images.shape[-2] // PATCH_SIZE, images.shape[-1] // PATCH_SIZE)
        branches = self.branches()
        first = self.settings.adapted_blocks[0]
        states: list[Tensor] = []
        images = images.to(self.backbone.patch_embed.proj.weight.dtype)
        for number, tokens in enumerate(self.backbone.stages(images)):
            patches = tokens[:, 1:]
            if number in self.settings.adapted_blocks:
                states = [
                    branch.refine(number, state, patches, grid)
                    for branch, state in zip(branches, states, strict=True)
                ]
            elif number == first - 1:
                states = [patches] * len(branches)
        # The last norm is the backbone's, frozen and shared; it is kept in float32.
        vectors = [
            branch.head(self.backbone.norm(state.float()))
            for branch, state in zip(branches, states, strict=True)
        ]
        descriptor = vectors[0] if self.float_branch is not None else None
        hashed = vectors[-1] if self.hash_branch is not None else None
        return Output(descriptor, hashed, None if hashed is None else pack_bits(hashed))


def pack_bits(values: Tensor) -> Tensor:
    """Return the signs of [B, n] values as [B, n / 8] uint8; >= 0 sets a bit, the highest first."""
    bits = (values.detach() >= 0).to(torch.uint8).unflatten(1, (-1, 8))
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=values.device)
    return (bits << shifts).sum(dim=2, dtype=torch.uint8)
