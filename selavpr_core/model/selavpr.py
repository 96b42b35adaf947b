"""The whole network: one pass of the backbone, refined by one or two branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from selavpr_core.model.backbone import Backbone
from selavpr_core.model.settings import PATCH_SIZE, ModelSettings
from selavpr_core.model.side_network import SideNetwork
from selavpr_core.model.tokens import split_tokens


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


class FeatureMaps(NamedTuple):
    """Normed patch tokens of B images as maps, before pooling (Fig. 6).

    backbone: [B, h, w, D] float32, the last block's output.
    float, hash: the same shape, refined by a branch; None for a branch that was left out.
    """

    backbone: Tensor
    float: Tensor | None
    hash: Tensor | None


class SelaVPR(nn.Module):
    """SelaVPR++: a DINOv2 with a float branch, a hash branch, or both.

    It computes in float32; `Describer` runs it in half precision, with the heads in float32.
    Under autocast, frozen blocks compute wholly in half precision and the branches' states stay
    in float32.

    source: what `from_pretrained` was given, None for a network that was built otherwise.
    pretrained: whether the weights were trained at all.
    recompute_adapters: whether the backward pass computes the side networks' adapters and the
        heads again instead of keeping what the forward pass computed: less memory, the same
        gradients.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.source: str | None = None
        self.pretrained = False
        self.recompute_adapters = True
        self.backbone = Backbone(settings)
        self.float_branch: SideNetwork | None = None
        self.hash_branch: SideNetwork | None = None
        if "float" in settings.branches:
            self.float_branch = SideNetwork(settings, settings.head, settings.descriptor_dim)
        if "hash" in settings.branches:
            self.hash_branch = SideNetwork(settings, "gem", settings.code_bits)

    @classmethod
    def from_pretrained(cls, name_or_path: str) -> SelaVPR:
        """Return a network with its weights, on the CPU, in float32 and in eval mode.

        name_or_path: "tiny" (trained weights that come with the package), "base" or "large" (the
        published weights, fetched once and cached), a published .pth or our .safetensors file, or
        "random:PRESET" (untrained, always the same).
        Raises WeightsError where the file is damaged or does not fit, WeightsUnavailableError
        where published weights can be neither found nor fetched.
        """
        from selavpr_core.weights.loading import load_model  # it builds on this module

        return load_model(name_or_path)

    def branches(self) -> list[SideNetwork]:
        """Return the branches that the network was built with, the float branch first."""
        return list(self._chosen(None).values())

    def forward(self, images: Tensor, branches: Sequence[str] | None = None) -> Output:
        """Describe images.

        images: [B, 3, H, W], normalised RGB, H and W multiples of 14; ValueError otherwise.
        branches: those to compute, "float", "hash" or both; all that there are by default.
            ValueError for one that the network was built without.
        """
        chosen = self._chosen(branches)
        _, states, grid = self._refined(images, chosen)
        # The last norm is the backbone's, shared by the branches; it is kept in float32.
        norm, recompute = self.backbone.norm, self.recompute_adapters
        vectors = {
            name: branch.vectors(states[name], norm, grid, recompute)
            for name, branch in chosen.items()
        }
        hashed = vectors.get("hash")
        return Output(vectors.get("float"), hashed, None if hashed is None else pack_bits(hashed))

    def feature_maps(self, images: Tensor) -> FeatureMaps:
        """Return what the heads pool, as maps; images as for `forward`."""
        last, states, grid = self._refined(images, self._chosen(None))

        def as_map(tokens: Tensor) -> Tensor:
            return split_tokens(self.backbone.norm(tokens.float()), grid)[1].unflatten(1, grid)

        maps = {name: as_map(state) for name, state in states.items()}
        return FeatureMaps(as_map(last), maps.get("float"), maps.get("hash"))

    def _chosen(self, names: Sequence[str] | None) -> dict[str, SideNetwork]:
        """Return the branches of these names, all that there are for None."""
        present = {
            name: branch
            for name, branch in (("float", self.float_branch), ("hash", self.hash_branch))
            if branch is not None
        }
        if names is None:
            return present
        missing = [name for name in names if name not in present]
        if missing or not names:
            raise ValueError(
                f"branches {list(names)}: this network has {' and '.join(present)} to choose from"
            )
        return {name: branch for name, branch in present.items() if name in names}

    def _refined(
        self, images: Tensor, branches: Mapping[str, SideNetwork]
    ) -> tuple[Tensor, dict[str, Tensor], tuple[int, int]]:
        """Return the last block's output, each branch's state after it, and the grid (h, w)."""
        grid = (images.shape[-2] // PATCH_SIZE, images.shape[-1] // PATCH_SIZE)
        states: dict[str, Tensor | None] = dict.fromkeys(branches)
        images = images.to(self.backbone.patch_embed.proj.weight.dtype)
        for number, tokens in enumerate(self.backbone.stages(images)):
            for name, branch in branches.items():
                states[name] = branch.advance(
                    number, states[name], tokens, grid, self.recompute_adapters
                )
        return tokens, {n: state for n, state in states.items() if state is not None}, grid


def pack_bits(values: Tensor) -> Tensor:
    """Return the signs of [B, n] values as [B, n / 8] uint8; >= 0 sets a bit, the highest first."""
    bits = (values.detach() >= 0).to(torch.uint8).unflatten(1, (-1, 8))
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=values.device)
    return (bits << shifts).sum(dim=2, dtype=torch.uint8)
