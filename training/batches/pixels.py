"""From an image of any size to what the network reads in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from selavpr_core.preprocessing import Preprocessing
from training.batches.disturbance import Disturbance
from training.batches.light import relit
from training.batches.viewpoint import warped

_VIEWPOINT, _LIGHT = 1, 2
"""What tells the random numbers of one seed apart."""


class Augmentation:
    """Squash an image to a size, and augment it by chance.

    size: (height, width) in pixels.
    operations: of RandAugment (bilinear, magnitude 9 of 30), one after the other; 0 for none.
    viewpoint, light: strengths from 0, none, to 1; see training.batches.viewpoint, and
        training.batches.light and .disturbance.
    """

    def __init__(
        self,
        size: tuple[int, int],
        operations: int,
        viewpoint: float = 0.0,
        light: float = 0.0,
    ) -> None:
        self._size = size
        self._viewpoint = viewpoint
        self._light = light
        self._disturbance = Disturbance(size) if light else None
        self._randaugment = (
            v2.RandAugment(num_ops=operations, interpolation=InterpolationMode.BILINEAR)
            if operations
            else None
        )

    def __call__(
        self, rgb: NDArray[np.uint8], seed: int, view_seed: int | None = None
    ) -> NDArray[np.uint8]:
        """RGB uint8 [H, W, 3] to [height, width, 3]; the chance depends on the seeds alone.

        view_seed: of the viewpoint; None for that of everything else.
        """
        pixels = self.view(rgb, seed if view_seed is None else view_seed)
        if self._disturbance is not None:
            # Seeds of its own: the view does not change with the light.
            random = np.random.default_rng((seed, _LIGHT))
            pixels = self._disturbance(relit(pixels, self._light, random), self._light, random)
        if self._randaugment is None:
            return pixels
        # RandAugment draws from torch's global generator, which is given back as it was found.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return np.asarray(self._randaugment(Image.fromarray(pixels)))

    def view(self, rgb: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """RGB uint8 [H, W, 3] to [height, width, 3], its viewpoint changed and nothing else."""
        if self._viewpoint:
            random = np.random.default_rng((seed, _VIEWPOINT))
            return warped(rgb, self._size, self._viewpoint, random)
        height, width = self._size
        image = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(image)


def stacked(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Put N images, RGB uint8 [H, W, 3], into one tensor [N, 3, H, W] uint8."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def normalised(images: Tensor) -> Tensor:
    """[N, 3, H, W] uint8 to float32 with ImageNet's mean and deviation, on the same device.

    Not where images are read: a quarter of the bytes goes from process to process and to the GPU.
    """
    mean = torch.tensor(Preprocessing.mean, device=images.device).view(3, 1, 1) * 255.0
    std = torch.tensor(Preprocessing.std, device=images.device).view(3, 1, 1) * 255.0
    return images.to(torch.float32).sub_(mean).div_(std)
