"""A segment on disk: the columns it has, and reading them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map.manifest import ModelInfo, SegmentInfo, StoredFile
from selavpr_core.place_map.tensor_file import Tensor, TensorFile, digest_of

SEGMENT_FOLDER = "segments"
THUMBNAIL_FOLDER = "thumbnails"


def columns(model: ModelInfo, count: int) -> dict[str, Tensor]:
    """Return the tensors of a segment of `count` places, by name."""
    tensors = {
        "positions": Tensor(np.dtype(np.float64), (count, 3)),
        "headings": Tensor(np.dtype(np.float32), (count,)),
        "heading_sigmas": Tensor(np.dtype(np.float32), (count,)),
        "position_sigmas": Tensor(np.dtype(np.float32), (count,)),
        "stamps": Tensor(np.dtype(np.int64), (count,)),
    }
    if model.code_bytes is not None:
        tensors["codes"] = Tensor(np.dtype(np.uint8), (count, model.code_bytes))
    if model.descriptor_dim is not None:
        tensors["descriptors"] = Tensor(np.dtype(np.float16), (count, model.descriptor_dim))
    return tensors


class Segment:
    """A segment of a map, checked and mapped into memory.

    Attributes are read-only arrays over the mapped file, N = info.count:
        codes: [N, code_bytes] uint8, or None in a map without codes.
        descriptors: [N, descriptor_dim] float16, or None in a map without descriptors.
        positions: [N, 3] float64, metres in the map frame.
        headings, heading_sigmas: [N] float32, radians; NaN where unknown.
        position_sigmas: [N] float32, metres, one horizontal sigma; NaN where unknown.
        stamps: [N] int64, nanoseconds since the epoch.
    """

    def __init__(self, folder: Path, info: SegmentInfo, model: ModelInfo) -> None:
        """Open and verify a segment of the map in `folder`.

        Raises:
            MapError: a missing file, a wrong size or checksum, or columns that do not fit.
        """
        self.info = info
        path = _verified(folder, info.data, info.name)
        if path is None:
            raise MapError(
                f"segment {info.name!r} is missing: {folder / info.data.file} does not exist; "
                "copy it from where the map was made"
            )
        file = TensorFile(path)
        expected = columns(model, info.count)
        if file.tensors() != expected:
            raise MapError(
                f"segment {info.name!r} is damaged: {path} does not have the columns that "
                "the manifest asks for"
            )
        self.codes: NDArray[np.uint8] | None = file.read("codes") if "codes" in file else None
        self.descriptors: NDArray[np.float16] | None = (
            file.read("descriptors") if "descriptors" in file else None
        )
        self.positions: NDArray[np.float64] = file.read("positions")
        self.headings: NDArray[np.float32] = file.read("headings")
        self.heading_sigmas: NDArray[np.float32] = file.read("heading_sigmas")
        self.position_sigmas: NDArray[np.float32] = file.read("position_sigmas")
        self.stamps: NDArray[np.int64] = file.read("stamps")
        self._thumbnails = _open_thumbnails(folder, info)

    @property
    def has_thumbnails(self) -> bool:
        """Whether thumbnails were stored and their file is here."""
        return self._thumbnails is not None

    def thumbnail(self, row: int) -> bytes | None:
        """Return a place's JPEG, None if there is none or the file was left behind."""
        if self._thumbnails is None:
            return None
        offsets, blob = self._thumbnails
        return blob[offsets[row] : offsets[row + 1]].tobytes() or None


def _open_thumbnails(
    folder: Path, info: SegmentInfo
) -> tuple[NDArray[np.int64], NDArray[np.uint8]] | None:
    path = None if info.thumbnails is None else _verified(folder, info.thumbnails, info.name)
    if path is None:
        return None
    file = TensorFile(path)
    tensors = file.tensors()
    if set(tensors) != {"offsets", "jpeg"}:
        raise MapError(f"thumbnails of segment {info.name!r} are damaged: wrong columns in {path}")
    offsets, blob = file.read("offsets"), file.read("jpeg")
    if (
        tensors["offsets"] != Tensor(np.dtype(np.int64), (info.count + 1,))
        or tensors["jpeg"] != Tensor(np.dtype(np.uint8), (len(blob),))
        or offsets[0] != 0
        or offsets[-1] != len(blob)
        or (np.diff(offsets) < 0).any()
    ):
        raise MapError(f"thumbnails of segment {info.name!r} are damaged: wrong offsets in {path}")
    return offsets, blob


def _verified(folder: Path, stored: StoredFile, segment: str) -> Path | None:
    """Return the path of a file that has the manifest's size and checksum, None if it is absent."""
    path = folder / stored.file
    try:
        size = path.stat().st_size
        if size != stored.bytes:
            raise MapError(
                f"segment {segment!r} is damaged: {path} has {size} bytes instead of "
                f"{stored.bytes}; copy it again from where the map was made"
            )
        if digest_of(path).sha256 != stored.sha256:
            raise MapError(
                f"segment {segment!r} is damaged: {path} has a wrong checksum; copy it again "
                "from where the map was made"
            )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MapError(f"segment {segment!r}: {path} cannot be read: {error.strerror}") from None
    return path


def concatenated(arrays: list[NDArray[Any]], empty: Tensor) -> NDArray[Any]:
    """Join one column of all segments; a single segment's stays on disk."""
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays) if arrays else np.empty(empty.shape, empty.dtype)
