"""The key that brings images into the order of the index: city, group, class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.datasets.source import Candidate
from training.index.division import (
    AnyDivision,
    OwnPlaces,
    Stretches,
    cells,
    heading_classes,
    stretches,
)

# Big-endian and without signs, so that comparing bytes compares numbers.
_KEY = np.dtype(
    [
        ("city", ">u4"),
        ("u", ">u2"),
        ("v", ">u2"),
        ("w", ">u2"),
        ("east", ">u4"),
        ("north", ">u4"),
        ("heading", ">u2"),
    ]
)
KEY_TYPE = pa.binary(_KEY.itemsize)
CITY_BYTES = 4
_GROUP_BYTES = 10
_ZERO = 1 << 31  # of cells, whose numbers may be negative


def class_keys(
    cities: NDArray[np.int64], candidates: Sequence[Candidate], division: AnyDivision
) -> pa.Array:
    """Return the keys of images; cities are the numbers of their cities, [n]."""
    keys = np.zeros(len(candidates), dtype=_KEY)
    keys["city"] = cities
    if isinstance(division, OwnPlaces):
        keys["east"] = np.array([candidate.place for candidate in candidates], np.int64) + _ZERO
    elif isinstance(division, Stretches):
        frames = np.array([candidate.frame for candidate in candidates], np.int64)
        clips, positions, counts = frames.reshape(-1, 3).T
        numbers = stretches(positions, counts, division.length)
        keys["u"] = (clips + numbers) % division.N  # groups of like sizes, though clips are short
        keys["east"], keys["north"] = clips, numbers
    else:
        easting = np.array([candidate.easting for candidate in candidates], np.float64)
        northing = np.array([candidate.northing for candidate in candidates], np.float64)
        heading = np.array([candidate.heading for candidate in candidates], np.float64)
        east, north = cells(easting, division.M), cells(northing, division.M)
        classes = heading_classes(heading, division)
        keys["u"], keys["v"] = east % division.N, north % division.N
        keys["w"] = classes % division.L
        keys["east"], keys["north"], keys["heading"] = east + _ZERO, north + _ZERO, classes
    return pa.FixedSizeBinaryArray.from_buffers(
        KEY_TYPE, len(keys), [None, pa.py_buffer(keys.tobytes())]
    )


class Keys:
    """The keys of rows that stand in order, and where they change.

    rows: the keys, uint8 [n, 20].
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        keys = column.combine_chunks()
        size = _KEY.itemsize
        buffer = keys.buffers()[1]
        start = keys.offset * size
        flat = np.frombuffer(buffer, np.uint8)[start : start + len(keys) * size]
        self.rows: NDArray[np.uint8] = flat.reshape(-1, size)

    def class_starts(self) -> NDArray[np.int64]:
        """Return the rows at which another class begins than that of the row before."""
        changed = np.any(self.rows[1:] != self.rows[:-1], axis=1)
        return np.concatenate([[0], np.flatnonzero(changed) + 1])

    def group_starts(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which of the classes (by their first rows) begin another group."""
        if not len(classes):
            return classes
        groups = self.rows[classes, :_GROUP_BYTES]
        changed = np.any(groups[1:] != groups[:-1], axis=1)
        return np.concatenate([[0], np.flatnonzero(changed) + 1])

    def group(self, row: int) -> bytes:
        """Return what names the group (and city) of a row."""
        return self.rows[row, :_GROUP_BYTES].tobytes()


def city_of(group: bytes) -> int:
    """Return the number of a group's city."""
    return int.from_bytes(group[:CITY_BYTES], "big")


def indices_of(group: bytes) -> tuple[int, int, int]:
    """Return u, v, w of a group."""
    u, v, w = np.frombuffer(group[CITY_BYTES:], ">u2")
    return int(u), int(v), int(w)
