"""Places collected in files before they become a segment of a map."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_core.place_map.manifest import ModelInfo
from selavpr_core.place_map.segment import data_columns, thumbnail_columns
from selavpr_core.place_map.tensor_file import (
    Block,
    Tensor,
    array_blocks,
    range_blocks,
    read_range,
)

# Rows that are mapped at a time. So many of any size fill whole pages, which mapping needs.
CHUNK_ROWS = 4096

Contents = dict[str, tuple[Tensor, Iterable[Block]]]


@dataclass(frozen=True)
class SegmentContents:
    """What a segment is to hold, and the blocks that its files are made of.

    Attributes:
        count: number of places, at least 1.
        first_stamp, last_stamp: smallest and largest stamp, ns since the epoch.
        data: the tensors of the data file; can be read once.
        thumbnails: those of the thumbnail file; None if no place has a thumbnail.
        camera: the one that took all pictures; None if unknown.
    """

    count: int
    first_stamp: int
    last_stamp: int
    data: Contents
    thumbnails: Contents | None
    camera: CameraModel | None = None


@dataclass(frozen=True)
class MappedChunk:
    """Rows of a column, mapped into memory: [CHUNK_ROWS, ...], read-only."""

    rows: NDArray[Any]
    memory: mmap.mmap

    def forget(self) -> None:
        """Let go of what was read; it comes from the file again when it is read again."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on every system
            self.memory.madvise(mmap.MADV_DONTNEED)


class PlaceSpool:
    """Columns of places in files, so that memory does not grow with them.

    The files have no names: the system frees them with the process, in whatever way it ends. One
    thread at a time appends; others may meanwhile read what was appended before. A place exists
    once all of its columns are written: what fails half-way is written over by the next.
    """

    def __init__(self, model: ModelInfo, folder: Path) -> None:
        """Open the files in a folder that exists.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._tensors = {**data_columns(model, 0), **thumbnail_columns(0, 0)}
        self._data = tuple(data_columns(model, 0))
        self._count = 0
        self._blob_bytes = 0
        with ExitStack() as opening:
            self._files = {
                name: opening.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
                for name in self._tensors
            }
            self._write("offsets", bytes(8), 0)
            self._opened = opening.pop_all()

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Give the files back. Closing twice does nothing; what is mapped stays readable."""
        self._opened.close()

    def append(self, columns: Mapping[str, NDArray[Any]], thumbnails: Sequence[bytes]) -> None:
        """Append the n places that `checked_columns` returned, and n JPEGs (b"" for none).

        Raises:
            OSError: the disk is full or fails; nothing was appended.
        """
        first, count = self._count, self._count + len(thumbnails)
        for name in self._data:
            tensor = self._tensors[name]
            if first // CHUNK_ROWS != count // CHUNK_ROWS or not first:
                # Up to the end of the chunk, since a file can be mapped only as far as it reaches.
                chunks = count // CHUNK_ROWS + 1
                os.ftruncate(self._files[name].fileno(), chunks * CHUNK_ROWS * tensor.row_bytes)
            values = np.ascontiguousarray(columns[name], tensor.dtype.newbyteorder("<"))
            self._write(name, values.tobytes(), first * tensor.row_bytes)
        ends = list(accumulate((len(jpeg) for jpeg in thumbnails), initial=self._blob_bytes))
        for jpeg, start in zip(thumbnails, ends, strict=False):
            self._write("jpeg", jpeg, start)
        self._write("offsets", np.array(ends[1:], "<i8").tobytes(), 8 * (first + 1))
        self._blob_bytes = ends[-1]
        self._count = count

    def _write(self, name: str, data: bytes, offset: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._files[name].fileno(), rest, offset)
            rest, offset = rest[written:], offset + written

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read rows [start, stop) of a column; of "offsets" there is one more than places."""
        tensor = self._tensors[name]
        rows = np.empty((stop - start, *tensor.shape[1:]), tensor.dtype)
        read_range(self._files[name].fileno(), rows, start * tensor.row_bytes)
        return rows

    def thumbnail(self, place: int) -> bytes | None:
        """Read a place's JPEG; None if it has none."""
        start, stop = self.read_rows("offsets", place, place + 2).tolist()
        return self.read_rows("jpeg", start, stop).tobytes() or None

    def map_chunk(self, name: str, number: int, random_access: bool) -> MappedChunk:
        """Map CHUNK_ROWS rows of a column, from `number * CHUNK_ROWS` on.

        The first of them must exist. Rows that are appended later appear by themselves; until
        then they must not be read. With `random_access` the kernel is told that single rows
        will be read, so that it reads nothing around them from the disk.
        """
        tensor = self._tensors[name]
        size = CHUNK_ROWS * tensor.row_bytes
        memory = mmap.mmap(
            self._files[name].fileno(), size, access=mmap.ACCESS_READ, offset=number * size
        )
        if random_access and hasattr(memory, "madvise"):  # not on every system
            memory.madvise(mmap.MADV_RANDOM)
        rows = np.frombuffer(memory, tensor.dtype).reshape(CHUNK_ROWS, *tensor.shape[1:])
        return MappedChunk(rows, memory)

    def contents(self, first: int, stop: int, last_use: bool = False) -> SegmentContents:
        """Return places [first, stop), at least one, as what a segment is to hold.

        With `last_use` every column is freed as soon as it was read, so that the disk never holds
        everything twice.
        """
        count = stop - first
        stamps = self.read_rows("stamps", first, stop)
        begin = int(self.read_rows("offsets", first, first + 1)[0])
        end = int(self.read_rows("offsets", stop, stop + 1)[0])
        tensors = thumbnail_columns(count, end - begin)
        thumbnails: Contents = {
            "offsets": (tensors["offsets"], self._offsets(first, stop, begin)),
            "jpeg": (tensors["jpeg"], self._blocks("jpeg", begin, end, last_use)),
        }
        return SegmentContents(
            count=count,
            first_stamp=int(stamps.min()),
            last_stamp=int(stamps.max()),
            data={
                name: (
                    Tensor(self._tensors[name].dtype, (count, *self._tensors[name].shape[1:])),
                    self._blocks(name, first, stop, last_use),
                )
                for name in self._data
            },
            thumbnails=thumbnails if end > begin else None,
        )

    def _blocks(self, name: str, start: int, stop: int, last_use: bool) -> Iterator[Block]:
        file, size = self._files[name].fileno(), self._tensors[name].row_bytes
        yield from range_blocks(file, start * size, stop * size)
        if last_use:
            os.ftruncate(file, 0)

    def _offsets(self, first: int, stop: int, begin: int) -> Iterator[Block]:
        for start in range(first, stop + 1, CHUNK_ROWS):
            rows = self.read_rows("offsets", start, min(start + CHUNK_ROWS, stop + 1))
            yield from array_blocks((rows - begin).astype("<i8"))
