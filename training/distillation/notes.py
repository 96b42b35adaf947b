"""What a teacher said of every view, so that he is asked once and not in every epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from training.distillation.teacher import Features, Teacher
from training.errors import TrainingError


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
    """Make the file for a number of views, with nothing in it yet; replaces one of that name.

    Raises TrainingError where the disk has no room for all of it.
    """
    height, width = teacher.grid
    channels, of_map = teacher.channels
    shape = (views, channels + of_map * height * width)
    try:
        open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        with path.open("r+b") as file:
            # Else a disk that gets full kills whoever writes into the mapped file.
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        size = 2 * shape[0] * shape[1] / 1e9
        raise TrainingError(
            f"{path} cannot be written, {size:.1f} GB of what the teacher says: {error.strerror}; "
            "make room, or use fewer distillation.views"
        ) from error


def write_notes(
    path: Path, teacher: Teacher, batches: Iterable[Tensor], first: int
) -> Iterator[int]:
    """Let a teacher look at views, and write what he says; yields their number, batch by batch.

    path: that `make_notes` made; several processes may fill it, each its own rows. batches: of the
    views from number `first` on, [N, 3, H, W] uint8 each.

    Raises TrainingError where half precision cannot hold what he says.
    """
    notes = np.load(path, mmap_mode="r+")
    for images in batches:
        features = teacher(images)
        said = torch.cat([features.embedding, features.map.flatten(1)], dim=1).half().cpu()
        if not said.isfinite().all():
            raise TrainingError(
                "the teacher says what half precision cannot hold: use distillation.views=0"
            )
        notes[first : first + len(images)] = said.numpy()
        first += len(images)
        yield len(images)
