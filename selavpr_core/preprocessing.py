"""From RGB pixels to what the network reads, as in the published evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from selavpr_core.model.settings import check_image_size


@dataclass(frozen=True)
class Preprocessing:
    """Normalise and resize: bilinear, without antialiasing, the aspect ratio squashed.

    size: (height, width) in pixels of what the network reads, multiples of 14.
    mean, std: of the RGB channels in [0, 1] (ImageNet's).
    """

    size: tuple[int, int] = (322, 322)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        check_image_size(self.size)

    def __call__(self, images: Tensor) -> Tensor:
        """[N, H, W, 3] uint8 to [N, 3, height, width] float32, on the same device.

        The published evaluation normalises first. Bilinear weights sum to one, so that the order
        does not matter, and the smaller image is normalised in a fraction of the time.
        """
        pixels = images.permute(0, 3, 1, 2).float()
        resized = functional.interpolate(
            pixels, size=self.size, mode="bilinear", align_corners=False, antialias=False
        )
        mean = torch.tensor(self.mean, device=images.device).view(3, 1, 1) * 255.0
        std = torch.tensor(self.std, device=images.device).view(3, 1, 1) * 255.0
        return resized.sub_(mean).div_(std)

    def to_json(self) -> dict[str, Any]:
        """Return everything that decides about the result, as a dictionary of JSON values."""
        fixed = {"interpolation": "bilinear", "antialias": False}
        return {**asdict(self), **fixed}
