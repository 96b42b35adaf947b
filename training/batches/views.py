"""All views that a training with a limited number of them will ever see."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.batches.pixels import Augmentation, stacked
from training.batches.settings import BatchSettings
from training.errors import UndecodableImageError
from training.images import read_rgb
from training.index import PlaceIndex


class Views(Dataset[Tensor]):
    """View number n is view n % views of the image in row n // views of an index.

    Its viewpoint is that of the batches; its light is as the image has it.
    """

    def __init__(self, index: PlaceIndex, settings: BatchSettings, seed: int) -> None:
        """seed: of the run."""
        self._index = index
        self._settings = settings
        self._seed = seed
        self._augmentation = Augmentation(settings.size, 0, settings.viewpoint)

    def __len__(self) -> int:
        """Return the number of views."""
        return self._index.images * self._settings.views

    def __getitem__(self, number: int) -> Tensor:
        """Return a view, [3, H, W] uint8; grey where its image cannot be decoded.

        In batches others stand in for such an image, so that nobody asks what is known of it.
        """
        try:
            rgb = read_rgb(self._index.path(number // self._settings.views))
        except UndecodableImageError:
            height, width = self._settings.size
            return torch.full((3, height, width), 128, dtype=torch.uint8)
        return stacked([self._augmentation.view(rgb, view_seed(self._seed, number))])[0]


def view_seed(seed: int, number: int) -> int:
    """Return the seed of a view's viewpoint in a run of a seed."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0]) >> 1
