"""What a teacher said of every view, so that he is asked once and not in every epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from training.distillation.teacher import Teacher
from training.errors import TrainingError


class Notes:
    """A file of a teacher's maps in half precision, one for each view.

    float16 [N, C, h, w]. Read where it lies.
    """

    def __init__(self, path: Path, teacher: Teacher) -> None:
        """Open a file that `write_notes` has filled."""
        self._rows = np.load(path, mmap_mode="r")
        self._teacher = teacher

    def maps(self, views: Tensor) -> Tensor:
        """Return what the teacher said of views, [B] int64: [B, C, h, w] float32 on his device."""
        return torch.from_numpy(self._rows[views.numpy()]).to(self._teacher.device).float()


def make_notes(path: Path, teacher: Teacher, views: int) -> None:
    """Make the file for a number of views, with nothing in it yet; replaces one of that name.

    Raises TrainingError where the disk has no room for all of it.
    """
    shape = (views, teacher.channels, *teacher.grid)
    try:
        open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        with path.open("r+b") as file:
            # Else a disk that gets full kills whoever writes into the mapped file.
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        size = 2 * math.prod(shape) / 1e9
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
        said = teacher(images).half().cpu()
        if not said.isfinite().all():
            raise TrainingError(
                "the teacher says what half precision cannot hold: use distillation.views=0"
            )
        notes[first : first + len(images)] = said.numpy()
        first += len(images)
        yield len(images)
