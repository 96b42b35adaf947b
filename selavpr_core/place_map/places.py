"""Places on their way into a map, and what they must be like to get there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.camera import CameraModel
from selavpr_core.errors import MapError
from selavpr_core.place_map.manifest import ModelInfo
from selavpr_core.place_map.segment import data_columns

_LENGTH_TOLERANCE = 0.01  # of a unit descriptor: float16 inference is off by less than 0.002
_CONVERTED = {
    "positions": np.float64,
    "headings": np.float32,
    "heading_sigmas": np.float32,
    "position_sigmas": np.float32,
}


@dataclass(frozen=True, eq=False)
class Place:
    """One keyframe: what it looks like and where it was seen from.

    Attributes:
        code: [code_bytes] uint8; None for a model without codes.
        descriptor: [descriptor_dim] float, of length 1; None for a model without descriptors.
        position: x, y, z in metres, finite.
        stamp: nanoseconds since the epoch, of the image.
        heading: radians, counter-clockwise from x (REP-103); NaN if unknown.
        heading_sigma: radians; NaN if unknown.
        position_sigma: metres, one horizontal sigma; NaN if unknown.
        thumbnail: a JPEG; None if there is none.
        camera: what took the picture; None if unknown.
        picture_size: (width, height) in pixels of the picture; None if unknown.
    """

    code: NDArray[np.uint8] | None
    descriptor: NDArray[np.floating] | None
    position: ArrayLike
    stamp: int
    heading: float = math.nan
    heading_sigma: float = math.nan
    position_sigma: float = math.nan
    thumbnail: bytes | None = None
    camera: CameraModel | None = None
    picture_size: tuple[int, int] | None = None


def checked_columns(
    model: ModelInfo,
    given: Mapping[str, ArrayLike | None],
    thumbnails: Sequence[bytes] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the columns of n places as arrays that a map made by `model` can take.

    `given` has a value, possibly None, for each of the arguments of `SegmentWriter.add`, where
    they are described.

    Raises:
        MapError: a shape that does not fit the others or the model, a descriptor that is not
            finite or not of length 1, or a position that is not finite.
    """
    columns = {
        name: np.asarray(values, _CONVERTED.get(name))
        for name, values in given.items()
        if values is not None
    }
    count = len(columns["positions"]) if columns["positions"].ndim else 0
    expected = data_columns(model, count)
    for name in {**expected, **columns}:
        if name not in columns:
            raise MapError(f"the map needs {name}, but none are given")
        if name not in expected:
            raise MapError(f"the map has no {name}, since its model gives none")
        shape, wanted = columns[name].shape, expected[name].shape
        if shape != wanted:
            raise MapError(f"{name} have shape {list(shape)}, but {list(wanted)} is needed")
    if "codes" in columns and columns["codes"].dtype != np.uint8:
        raise MapError(f"codes must be packed into uint8, not {columns['codes'].dtype}")
    if "descriptors" in columns:
        _check_lengths(columns["descriptors"])
    if columns["stamps"].dtype.kind not in "iu" and count:
        raise MapError(f"stamps must be whole nanoseconds, not {columns['stamps'].dtype}")
    if not np.isfinite(columns["positions"]).all():
        raise MapError("a place's position is not finite: leave such places out")
    if thumbnails is not None and len(thumbnails) != count:
        raise MapError(f"{len(thumbnails)} thumbnails were given for {count} places")
    return columns


def _check_lengths(descriptors: NDArray[Any]) -> None:
    lengths = np.linalg.norm(descriptors.astype(np.float32, copy=False), axis=-1)
    # Written so that NaN fails too.
    wrong = ~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)
    if wrong.any():
        raise MapError(
            f"a descriptor has length {float(lengths[wrong][0])}, not 1: "
            "descriptors must be finite and L2-normalised"
        )
