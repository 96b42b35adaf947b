"""Collecting the places of one segment in files until it is finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map.manifest import ModelInfo
from selavpr_core.place_map.segment import data_columns, thumbnail_columns
from selavpr_core.place_map.tensor_file import Block, Tensor, file_blocks
from selavpr_core.place_map.write_errors import write_errors_named

_LENGTH_TOLERANCE = 0.01  # of a unit descriptor: float16 inference is off by less than 0.002

Spools = dict[str, tuple[Tensor, Iterable[Block]]]


class SegmentWriter:
    """Collects the places of one segment in files, so that memory does not grow with them.

    Made by `MapWriter.segment`. `len()` is the number of places added so far; `name` is the
    segment's final name.
    """

    def __init__(self, name: str, model: ModelInfo, work: Path) -> None:
        self.name = name
        self.has_thumbnails = False
        self.first_stamp = np.iinfo(np.int64).max
        self.last_stamp = np.iinfo(np.int64).min
        self._model = model
        self._work = work
        self._map = work.parents[1]
        self._count = 0
        self._blob_bytes = 0
        self._spools: dict[str, BinaryIO] = {}

    def __enter__(self) -> SegmentWriter:
        with write_errors_named(self._map):
            self._work.mkdir(parents=True)
            for name in (*data_columns(self._model, 0), "offsets", "jpeg"):
                self._spools[name] = self._raw(name).open("wb")
            self._spools["offsets"].write(np.zeros(1, "<i8").tobytes())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._count

    def add(
        self,
        codes: ArrayLike | None,
        descriptors: ArrayLike | None,
        positions: ArrayLike,
        headings: ArrayLike,
        heading_sigmas: ArrayLike,
        position_sigmas: ArrayLike,
        stamps: ArrayLike,
        thumbnails: Sequence[bytes] | None = None,
    ) -> None:
        """Append n places.

        Args:
            codes: [n, code_bytes] uint8; None for a model without codes.
            descriptors: [n, descriptor_dim] float, of length 1; stored as float16. None for a
                model without descriptors.
            positions: [n, 3] metres in the map frame.
            headings: [n] radians, counter-clockwise from x (REP-103); NaN where unknown.
            heading_sigmas: [n] radians; NaN where unknown.
            position_sigmas: [n] metres, one horizontal sigma; NaN where unknown.
            stamps: [n] nanoseconds since the epoch.
            thumbnails: n JPEGs, b"" for a place without one; None if there are none.

        Raises:
            MapError: a shape that does not fit the others or the model, a descriptor that is not
                finite or not of length 1, or a position that is not finite.
        """
        places: dict[str, NDArray[Any]] = {
            "positions": np.asarray(positions, np.float64),
            "headings": np.asarray(headings, np.float32),
            "heading_sigmas": np.asarray(heading_sigmas, np.float32),
            "position_sigmas": np.asarray(position_sigmas, np.float32),
            "stamps": np.asarray(stamps),
        }
        if codes is not None:
            places["codes"] = np.asarray(codes)
        if descriptors is not None:
            places["descriptors"] = _checked_descriptors(descriptors)
        count = len(places["positions"]) if places["positions"].ndim else 0
        expected = data_columns(self._model, count)
        for name in {**expected, **places}:
            if name not in places:
                raise MapError(f"the map needs {name}, but none are given")
            if name not in expected:
                raise MapError(f"the map has no {name}, since its model gives none")
            shape, wanted = places[name].shape, expected[name].shape
            if shape != wanted:
                raise MapError(f"{name} have shape {list(shape)}, but {list(wanted)} is needed")
        if "codes" in places and places["codes"].dtype != np.uint8:
            raise MapError(f"codes must be packed into uint8, not {places['codes'].dtype}")
        if places["stamps"].dtype.kind not in "iu" and count:
            raise MapError(f"stamps must be whole nanoseconds, not {places['stamps'].dtype}")
        if not np.isfinite(places["positions"]).all():
            raise MapError("a place's position is not finite: leave such places out")
        if thumbnails is not None and len(thumbnails) != count:
            raise MapError(f"{len(thumbnails)} thumbnails were given for {count} places")
        if count == 0:
            return
        with write_errors_named(self._map):
            for name, values in places.items():
                self._append(name, values, expected[name].dtype)
            self._append_thumbnails(thumbnails or [b""] * count)
        self._count += count
        self.first_stamp = min(self.first_stamp, int(places["stamps"].min()))
        self.last_stamp = max(self.last_stamp, int(places["stamps"].max()))

    def _append(self, name: str, values: NDArray[Any], dtype: np.dtype[Any]) -> None:
        little_endian = np.ascontiguousarray(values, dtype.newbyteorder("<"))
        self._spools[name].write(little_endian.tobytes())

    def _append_thumbnails(self, thumbnails: Sequence[bytes]) -> None:
        ends = self._blob_bytes + np.cumsum([len(jpeg) for jpeg in thumbnails], dtype="<i8")
        self._spools["offsets"].write(ends.astype("<i8").tobytes())
        for jpeg in thumbnails:
            self._spools["jpeg"].write(jpeg)
        self._blob_bytes = int(ends[-1])
        self.has_thumbnails = self._blob_bytes > 0

    def close(self) -> None:
        """Write out what is still buffered; nothing can be added any more."""
        with write_errors_named(self._map):
            for spool in self._spools.values():
                spool.close()

    def _raw(self, name: str) -> Path:
        return self._work / f"{name}.raw"

    def columns(self) -> Spools:
        """Return the contents of the data file; can be read once, after close."""
        tensors = data_columns(self._model, self._count)
        return {name: (tensor, _spooled(self._raw(name))) for name, tensor in tensors.items()}

    def thumbnails(self) -> Spools:
        """Return the contents of the thumbnail file; can be read once, after close."""
        tensors = thumbnail_columns(self._count, self._blob_bytes)
        return {name: (tensor, _spooled(self._raw(name))) for name, tensor in tensors.items()}


def _spooled(raw: Path) -> Iterator[Block]:
    """Yield a raw file's bytes, then remove it: the disk never holds everything twice."""
    yield from file_blocks(raw)
    raw.unlink()


def _checked_descriptors(descriptors: ArrayLike) -> NDArray[Any]:
    values = np.asarray(descriptors)
    lengths = np.linalg.norm(values.astype(np.float32, copy=False), axis=-1)
    # Written so that NaN fails too.
    wrong = ~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)
    if wrong.any():
        raise MapError(
            f"a descriptor has length {float(np.ravel(lengths)[np.ravel(wrong)][0])}, not 1: "
            "descriptors must be finite and L2-normalised"
        )
    return values
