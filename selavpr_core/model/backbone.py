"""The DINOv2 backbone, frozen or tuned in part, running block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.adapters.in_block import InBlockAdapters
from selavpr_core.model.autocast import autocast_dtype
from selavpr_core.model.frozen import frozen_block
from selavpr_core.model.settings import PATCH_SIZE, ModelSettings, check_image_size

# A model meets one or two image sizes in its life; whoever feeds it many must not fill the memory.
_MAX_CACHED_GRIDS = 16


class Backbone(nn.Module):
    """DINOv2 vision transformer without registers, frozen as it is built.

    Its state-dict keys are DINOv2's own (`mask_token` left out, which only pretraining uses). What
    is frozen stays in eval mode whatever `train()` says. Gradients are computed from the first
    block on that holds a parameter which requires one, and not before it; they always flow through
    `norm` to what a branch hands it.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        # timm holds the parts; its own forward resamples the position embedding to an exact
        # size, which does not reproduce the published weights, and is not used.
        transformer = VisionTransformer(
            img_size=settings.native_size,
            patch_size=PATCH_SIZE,
            embed_dim=settings.embed_dim,
            depth=settings.depth,
            num_heads=settings.num_heads,
            init_values=1e-5,
            num_classes=0,
            global_pool="",
        )
        self.cls_token: nn.Parameter = transformer.cls_token  # type: ignore[assignment]
        self.pos_embed: nn.Parameter = transformer.pos_embed  # type: ignore[assignment]
        self.patch_embed = transformer.patch_embed
        self.blocks: nn.Sequential = transformer.blocks
        # SelaVPR's adapters, for the strategy that puts them inside the blocks.
        inside = settings.adapted_blocks if settings.adapter == "in-block" else ()
        self.adapters = nn.ModuleDict(
            {str(number): InBlockAdapters(settings.embed_dim) for number in inside}
        )
        self.norm = transformer.norm
        self._native_grid = settings.native_grid
        self._resampled: dict[tuple[int, int, torch.dtype], Tensor] = {}
        self.register_load_state_dict_post_hook(_forget_positions)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Put the tuned parts into training mode; what is frozen stays in eval mode."""
        super().train(False)
        if mode:
            self.training = self._embedding_is_tuned()
            for part in (self.patch_embed, *self.blocks, *self.adapters.values(), self.norm):
                part.train(_is_tuned(part))
        return self

    def stages(self, images: Tensor, kept: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the embedded tokens, then the raw output of each block, as they are computed.

        images: [B, 3, H, W], H and W multiples of 14, in the dtype of the blocks. kept: [B, K]
            int64, numbers of the patches that are looked at, each with the position that it has in
            the whole image; all of them by default.
        Yields [B, 1 + N, D] depth + 1 times, the class token first; N is H / 14 * W / 14, or K.
        """
        tuned = self._embedding_is_tuned()
        with torch.set_grad_enabled(tuned and torch.is_grad_enabled()):
            tokens = self._embed(images)
            if kept is not None:
                rows = torch.cat([torch.zeros_like(kept[:, :1]), kept + 1], dim=1)
                tokens = tokens.gather(1, rows[:, :, None].expand(-1, -1, tokens.shape[2]))
        yield tokens
        half = autocast_dtype(tokens.device)
        for number, block in enumerate(self.blocks, start=1):
            parts = [block]
            if str(number) in self.adapters:
                parts.append(self.adapters[str(number)])
            tuned = tuned or any(_is_tuned(part) for part in parts)
            if half is not None and not tuned and len(parts) == 1:
                tokens = frozen_block(block, tokens.to(half))
            else:
                # Not around the loop: between two blocks the caller computes with gradients.
                with torch.set_grad_enabled(tuned and torch.is_grad_enabled()):
                    tokens = parts[-1](tokens, *parts[:-1])
            yield tokens

    def _embedding_is_tuned(self) -> bool:
        positions = (self.cls_token, self.pos_embed)
        return _is_tuned(self.patch_embed) or any(p.requires_grad for p in positions)

    def _embed(self, images: Tensor) -> Tensor:
        """Return class and patch tokens with their positions added, [B, 1 + h * w, D]."""
        check_image_size(images.shape[-2:])
        patches = self.patch_embed.proj(images)
        positions = self.position_embedding(patches.shape[-2], patches.shape[-1], patches.dtype)
        patches = patches.flatten(2).transpose(1, 2) + positions[:, 1:]
        class_token = self.cls_token.to(patches.dtype) + positions[:, :1]
        return torch.cat([class_token.expand(len(patches), -1, -1), patches], dim=1)

    def position_embedding(
        self, height: int, width: int, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return the position embedding of a grid of height x width patches, [1, 1 + h * w, D].

        Other grids than the pretrained one are resampled bicubically, in float32, without
        antialiasing, and with the scale (n + 0.1) / native on both axes, as DINOv2 does:
        interpolating to an exact size instead differs by 3-5 %.
        """
        if self.pos_embed.requires_grad and torch.is_grad_enabled():
            return self._resample(height, width).to(dtype)  # it changes with every step
        key = (height, width, dtype)
        if key not in self._resampled:
            if len(self._resampled) >= _MAX_CACHED_GRIDS:
                self._resampled.clear()
            with torch.no_grad():
                self._resampled[key] = self._resample(height, width).to(dtype)
        return self._resampled[key]

    def _resample(self, height: int, width: int) -> Tensor:
        native = self._native_grid
        if (height, width) == (native, native):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].float().unflatten(1, (native, native)).permute(0, 3, 1, 2)
        grid = functional.interpolate(
            grid,
            scale_factor=((height + 0.1) / native, (width + 0.1) / native),
            mode="bicubic",
            align_corners=False,
            antialias=False,
        )
        return torch.cat([self.pos_embed[:, :1].float(), grid.flatten(2).transpose(1, 2)], dim=1)

    def _apply(self, fn: Any, recurse: bool = True) -> Backbone:
        """Forget resampled positions when the parameters move or change their dtype."""
        self._resampled.clear()
        return super()._apply(fn, recurse)


def _is_tuned(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())


def _forget_positions(backbone: Backbone, _: object) -> None:
    backbone._resampled.clear()
