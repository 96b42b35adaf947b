"""What a teacher said of every view, so that he is asked once and not in every epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from training.distillation.teacher import Features, Teacher

_BATCH = 32


class Notes:
    """A file of a teacher's features in half precision, a row for each view.

    float16 [N, C + C' * h * w]: the embedding, then the map. Read where it lies.
    """

    def __init__(self, path: Path, teacher: Teacher) -> None:
        """Open a file that `write_notes` has filled."""
        self._rows = np.load(path, mmap_mode="r")
        self._teacher = teacher

    def features(self, views: Tensor) -> Features:
        """Return what the teacher said of views, [B] int64; on his device, in float32."""
        rows = torch.from_numpy(self._rows[views.numpy()]).to(self._teacher.device).float()
        channels, of_map = self._teacher.channels
        maps = rows[:, channels:].unflatten(1, (of_map, *self._teacher.grid))
        return Features(rows[:, :channels], maps)


def make_notes(path: Path, teacher: Teacher, views: int) -> None:
    """Make an empty file of the size for a number of views."""
    height, width = teacher.grid
    channels, of_map = teacher.channels
    open_memmap(
        path, mode="w+", dtype=np.float16, shape=(views, channels + of_map * height * width)
    )


def write_notes(
    path: Path,
    teacher: Teacher,
    views: Dataset[Tensor],
    rows: range,
    workers: int,
    progress: Callable[[int], None],
) -> None:
    """Let a teacher look at some of the views, and write what he says into a file.

    path: that `make_notes` made; several processes may fill it, each its own rows. views: uint8
    [3, H, W] each. workers: processes that read images. progress: told the views of each batch.
    """
    notes = np.load(path, mmap_mode="r+")
    loader = DataLoader(Subset(views, rows), batch_size=_BATCH, num_workers=workers)
    done = rows.start
    for images in loader:
        features = teacher(images)
        said = torch.cat([features.embedding, features.map.flatten(1)], dim=1)
        notes[done : done + len(images)] = said.cpu().numpy()
        done += len(images)
        progress(len(images))
    notes.flush()
