"""A segment on disk: the columns it has, and opening it for reading."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map.manifest import (
    FORMAT,
    VERSION,
    ModelInfo,
    SegmentInfo,
    StoredFile,
)
from selavpr_core.place_map.tensor_file import Tensor, TensorFile, digest_of

SEGMENT_FOLDER = "segments"
THUMBNAIL_FOLDER = "thumbnails"

_MAX_NAME_BYTES = 100

Progress = Callable[[int], object]
"""Is called with the steps done since the last call."""

_FLOAT64, _FLOAT32, _FLOAT16 = np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16)
_INT64, _UINT8 = np.dtype(np.int64), np.dtype(np.uint8)


def data_columns(model: ModelInfo, count: int) -> dict[str, Tensor]:
    """Return the tensors in the data file of a segment with `count` places, by name."""
    tensors = {
        "positions": Tensor(_FLOAT64, (count, 3)),
        "headings": Tensor(_FLOAT32, (count,)),
        "heading_sigmas": Tensor(_FLOAT32, (count,)),
        "position_sigmas": Tensor(_FLOAT32, (count,)),
        "stamps": Tensor(_INT64, (count,)),
    }
    if model.code_bytes is not None:
        tensors["codes"] = Tensor(_UINT8, (count, model.code_bytes))
    if model.descriptor_dim is not None:
        tensors["descriptors"] = Tensor(_FLOAT16, (count, model.descriptor_dim))
    return tensors


def thumbnail_columns(count: int, blob_bytes: int) -> dict[str, Tensor]:
    """Return the tensors in the thumbnail file of a segment with `count` places, by name."""
    return {"offsets": Tensor(_INT64, (count + 1,)), "jpeg": Tensor(_UINT8, (blob_bytes,))}


def file_metadata(source: str) -> dict[str, str]:
    """Return what a segment's files say of themselves in their headers."""
    return {"format": FORMAT, "version": str(VERSION), "source": source}


def unique_name(name: str, taken: set[str]) -> str:
    """Return a name that every file system can hold and that differs from all taken ones."""
    clean = re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", name)).strip("._-") or "segment"
    clean = clean.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
    folded = {other.casefold() for other in taken}  # some file systems ignore case
    unique, number = clean, 2
    while unique.casefold() in folded:
        unique, number = f"{clean}-{number}", number + 1
    return unique


class Segment:
    """A segment of a map, verified and mapped into memory.

    Attributes are read-only arrays over the mapped file, N = info.count:
        codes: [N, code_bytes] uint8, or None in a map without codes.
        descriptors: [N, descriptor_dim] float16, or None in a map without descriptors.
        positions: [N, 3] float64, metres in the map frame.
        headings, heading_sigmas: [N] float32, radians; NaN where unknown.
        position_sigmas: [N] float32, metres, one horizontal sigma; NaN where unknown.
        stamps: [N] int64, nanoseconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        info: SegmentInfo,
        model: ModelInfo,
        progress: Progress | None = None,
    ) -> None:
        """Open a segment of the map in `folder`; `progress` is told the bytes verified, by and by.

        Raises:
            MapError: a missing file, a wrong size or checksum, or columns that do not fit.
        """
        self.info = info
        try:
            self._data = data = _verified(folder, info.data, info.name, progress)
            self._thumbnails = _open_thumbnails(folder, info, progress)
            _check_columns(data, data_columns(model, info.count), info.name)
            arrays = data.map()
        except FileNotFoundError:
            raise MapError(
                f"segment {info.name!r} is missing: {folder / info.data.file} does not exist; "
                "copy it from where the map was made"
            ) from None
        except OSError as error:
            raise MapError(
                f"segment {info.name!r} of {folder} cannot be read: {error.strerror}"
            ) from None
        self.codes: NDArray[np.uint8] | None = arrays.get("codes")
        self.descriptors: NDArray[np.float16] | None = arrays.get("descriptors")
        self.positions: NDArray[np.float64] = arrays["positions"]
        self.headings: NDArray[np.float32] = arrays["headings"]
        self.heading_sigmas: NDArray[np.float32] = arrays["heading_sigmas"]
        self.position_sigmas: NDArray[np.float32] = arrays["position_sigmas"]
        self.stamps: NDArray[np.int64] = arrays["stamps"]

    @property
    def has_thumbnails(self) -> bool:
        """Whether thumbnails were stored and their file is here."""
        return self._thumbnails is not None

    def expect_random_access(self, expected: bool) -> None:
        """Tell the kernel whether single rows or all of them will be read next."""
        self._data.expect_random_access(expected)

    def thumbnail(self, row: int) -> bytes | None:
        """Read a place's JPEG from disk; None if it has none or the file is not here any more."""
        if self._thumbnails is None:
            return None
        try:
            start, stop = self._thumbnails.read_rows("offsets", row, row + 2).tolist()
            return self._thumbnails.read_rows("jpeg", start, stop).tobytes() or None
        except FileNotFoundError:
            return None


def _open_thumbnails(
    folder: Path, info: SegmentInfo, progress: Progress | None
) -> TensorFile | None:
    if info.thumbnails is None:
        return None
    try:
        file = _verified(folder, info.thumbnails, info.name, progress)
    except FileNotFoundError:
        return None
    blob = file.tensors.get("jpeg")
    expected = thumbnail_columns(info.count, 0 if blob is None else blob.bytes)
    _check_columns(file, expected, info.name)
    return file


def _verified(
    folder: Path, stored: StoredFile, segment: str, progress: Progress | None
) -> TensorFile:
    """Return a file after checking its size and checksum against the manifest's."""
    path = folder / stored.file
    size = path.stat().st_size  # first, since it costs nothing
    if size != stored.bytes:
        problem = f"has {size} bytes instead of {stored.bytes}"
    elif digest_of(path, progress).sha256 != stored.sha256:
        problem = "has a wrong checksum"
    else:
        return TensorFile(path)
    raise MapError(
        f"segment {segment!r} is damaged: {path} {problem}; copy it again from where the map "
        "was made"
    )


def _check_columns(file: TensorFile, expected: dict[str, Tensor], segment: str) -> None:
    if file.tensors != expected:
        raise MapError(
            f"segment {segment!r} does not fit its map: {file.path} has other columns than the "
            "manifest says; copy the whole map again from where it was made"
        )
