"""Writing a place map: segments are spooled to disk, finished, then named in the manifest."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.durable import publish, sync_directory
from selavpr_core.place_map.manifest import (
    MANIFEST_NAME,
    Manifest,
    ModelInfo,
    SegmentInfo,
    StoredFile,
    read_manifest,
    write_manifest,
)
from selavpr_core.place_map.segment import SEGMENT_FOLDER, THUMBNAIL_FOLDER, columns
from selavpr_core.place_map.tensor_file import Tensor, write_tensor_file

_LOCK_NAME = ".lock"
_WORK_FOLDER = ".writing"  # everything unfinished; removed by the next writer
_MAX_NAME_BYTES = 100
_LENGTH_TOLERANCE = 0.01  # of a unit descriptor: float16 inference is off by less than 0.002


class MapWriter:
    """Creates a place map, or opens an existing one to add segments to it.

    One writer at a time: the map stays locked until `close`, or the end of a `with` block. A crash
    at any moment leaves the map with every segment that was finished before; what a killed writer
    left behind is removed here. Readers need no lock.

    If the `with` block of a writer that created the map ends with an exception before any segment
    was finished, the map is removed again.
    """

    def __init__(self, path: Path | str, model: ModelInfo, datum: Datum | None) -> None:
        """Open the map at `path` for writing.

        Args:
            path: folder of the map; created (parents too) if it does not exist.
            model: the model that describes the places to be added.
            datum: origin of the map frame, None for a map in the frame of its odometry. A map
                without any segment takes on the model and datum given here.

        Raises:
            MapError: another writer is at work, the folder holds something else, the existing map
                is damaged or was made with another model or datum, or it cannot be written.
        """
        self.path = Path(path)
        self._segment_open = False
        with _errors_reported(self.path):
            self._created = _make_folder(self.path)
            self._lock = _lock(self.path)
            try:
                self._manifest = self._open(model, datum)
            except BaseException:
                self.close()
                raise

    def _open(self, model: ModelInfo, datum: Datum | None) -> Manifest:
        if (self.path / MANIFEST_NAME).exists():
            manifest = read_manifest(self.path)
        else:
            foreign = sorted(
                entry.name
                for entry in self.path.iterdir()
                if entry.name not in (_LOCK_NAME, _WORK_FOLDER, SEGMENT_FOLDER, THUMBNAIL_FOLDER)
            )
            if foreign:
                raise MapError(
                    f"{self.path} is not a place map and not empty (it has {foreign[0]}): "
                    "give another folder"
                )
            manifest = None
        if manifest is not None and manifest.segments:
            _check_same_model(self.path, manifest.model, model)
            if manifest.datum != datum:
                raise MapError(_datum_difference(self.path, manifest.datum, datum))
            self._remove_leftovers(manifest)
            return manifest
        empty = Manifest(model, datum, ())
        self._remove_leftovers(empty)
        for folder in (SEGMENT_FOLDER, THUMBNAIL_FOLDER):
            (self.path / folder).mkdir(exist_ok=True)
        self._replace_manifest(empty)
        return empty

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and self._created and not self._manifest.segments:
            shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Release the map for other writers. Closing twice does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def segments(self) -> tuple[SegmentInfo, ...]:
        """The segments that the map holds now."""
        return self._manifest.segments

    @contextmanager
    def segment(self, name: str, source: str) -> Iterator[SegmentWriter]:
        """Write one segment: the places of one bag or mapping session.

        Args:
            name: usually the bag's name. Characters that file names cannot have everywhere are
                replaced and a number is added if the map has that name already.
            source: where the places come from, for people who ask later.

        Leaving the block finishes the segment: its files are forced to disk and then named in the
        manifest, which is the moment from which the map has it. An exception in the block drops
        it, and nothing of it remains; so does a block in which no place was added.

        Raises:
            MapError: the map cannot be written (disk full, permissions), or the writer is closed.
        """
        if self._lock is None:
            raise MapError(f"the writer of {self.path} is closed")
        if self._segment_open:
            raise MapError(f"a segment of {self.path} is being written: finish it first")
        unique = _unique_name(name, {segment.name for segment in self._manifest.segments})
        work = self.path / _WORK_FOLDER / unique
        self._segment_open = True
        try:
            with SegmentWriter(unique, self._manifest.model, work) as segment:
                yield segment
                if len(segment):
                    self._finish(segment, work, source)
        except BaseException:
            # An interrupt may have come before or after the manifest was replaced: it decides.
            self._manifest = read_manifest(self.path)
            self._remove_leftovers(self._manifest)
            raise
        finally:
            self._segment_open = False
            shutil.rmtree(work, ignore_errors=True)

    def _finish(self, segment: SegmentWriter, work: Path, source: str) -> None:
        segment._close()
        metadata = {"segment": segment.name, "source": source}
        data = self._store(segment._columns(), metadata, work, SEGMENT_FOLDER)
        thumbnails = None
        if segment.has_thumbnails:
            thumbnails = self._store(segment._thumbnails(), metadata, work, THUMBNAIL_FOLDER)
        info = SegmentInfo(
            name=segment.name,
            source=source,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            count=len(segment),
            first_stamp=segment.first_stamp,
            last_stamp=segment.last_stamp,
            data=data,
            thumbnails=thumbnails,
        )
        old = self._manifest
        with _errors_reported(self.path):
            self._replace_manifest(Manifest(old.model, old.datum, (*old.segments, info)))

    def _store(
        self,
        tensors: dict[str, tuple[Tensor, Path]],
        metadata: dict[str, str],
        work: Path,
        folder: str,
    ) -> StoredFile:
        name = f"{folder}/{metadata['segment']}.safetensors"
        temporary = work / f"{folder}.safetensors"
        with _errors_reported(self.path):
            digest = write_tensor_file(temporary, tensors, metadata)
            publish(temporary, self.path / name)
        return StoredFile.at(name, digest)

    def _replace_manifest(self, manifest: Manifest) -> None:
        work = self.path / _WORK_FOLDER
        work.mkdir(exist_ok=True)
        write_manifest(self.path, manifest, work / MANIFEST_NAME)
        self._manifest = manifest

    def _remove_leftovers(self, manifest: Manifest) -> None:
        shutil.rmtree(self.path / _WORK_FOLDER, ignore_errors=True)
        named = manifest.files()
        for folder in (SEGMENT_FOLDER, THUMBNAIL_FOLDER):
            for path in (self.path / folder).glob("*.safetensors"):
                if f"{folder}/{path.name}" not in named:
                    path.unlink()


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
        self._count = 0
        self._blob_bytes = 0
        self._spools: dict[str, BinaryIO] = {}

    def __enter__(self) -> SegmentWriter:
        with _errors_reported(self._work):
            self._work.mkdir(parents=True)
            for name in (*columns(self._model, 0), "offsets", "jpeg"):
                self._spools[name] = self._raw(name).open("wb")
            self._spools["offsets"].write(np.zeros(1, "<i8").tobytes())
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

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
            "stamps": np.asarray(stamps, np.int64),
        }
        if codes is not None:
            places["codes"] = np.asarray(codes)
        if descriptors is not None:
            places["descriptors"] = _checked_descriptors(descriptors)
        count = len(places["positions"]) if places["positions"].ndim else 0
        expected = columns(self._model, count)
        for name in expected.keys() | places.keys():
            given = None if name not in places else list(places[name].shape)
            wanted = None if name not in expected else list(expected[name].shape)
            if given != wanted:
                raise MapError(f"{name} have shape {given}, but the map needs {wanted}")
        if "codes" in places and places["codes"].dtype != np.uint8:
            raise MapError(f"codes must be packed into uint8, not {places['codes'].dtype}")
        if not np.isfinite(places["positions"]).all():
            raise MapError("a place's position is not finite: leave such places out")
        if thumbnails is not None and len(thumbnails) != count:
            raise MapError(f"{len(thumbnails)} thumbnails were given for {count} places")
        if count == 0:
            return
        with _errors_reported(self._work):
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

    def _close(self) -> None:
        with _errors_reported(self._work):
            for spool in self._spools.values():
                spool.close()

    def _raw(self, name: str) -> Path:
        return self._work / f"{name}.raw"

    def _columns(self) -> dict[str, tuple[Tensor, Path]]:
        tensors = columns(self._model, self._count)
        return {name: (tensor, self._raw(name)) for name, tensor in tensors.items()}

    def _thumbnails(self) -> dict[str, tuple[Tensor, Path]]:
        tensors = {
            "offsets": Tensor(np.dtype(np.int64), (self._count + 1,)),
            "jpeg": Tensor(np.dtype(np.uint8), (self._blob_bytes,)),
        }
        return {name: (tensor, self._raw(name)) for name, tensor in tensors.items()}


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


def _make_folder(path: Path) -> bool:
    """Make the map's folder; return whether it is new."""
    if path.is_dir():
        return False
    if path.exists():
        raise MapError(f"{path} is a file: give a folder for the map")
    path.mkdir(parents=True)
    sync_directory(path.parent)
    return True


def _lock(folder: Path) -> int | None:
    """Take the map's lock and return its file descriptor; closing that releases the lock.

    The kernel releases it too when the process ends in any way, so that no lock is ever stale.
    """
    path = folder / _LOCK_NAME
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino != path.stat().st_ino:
            raise BlockingIOError  # another writer has just removed its map
    except BaseException as error:
        os.close(lock)
        if isinstance(error, (BlockingIOError, FileNotFoundError)):
            raise MapError(
                f"another program is writing to {folder}: wait until it has finished"
            ) from None
        raise
    return lock


def _check_same_model(path: Path, old: ModelInfo, new: ModelInfo) -> None:
    if old.fingerprint != new.fingerprint:
        raise MapError(
            f"{path} was made with other weights ({old.source}, fingerprint "
            f"{old.short_fingerprint}) than these ({new.source}, {new.short_fingerprint}): "
            f"pass --weights {old.source}, or write a new map"
        )
    if (old.descriptor_dim, old.code_bytes) != (new.descriptor_dim, new.code_bytes):
        raise MapError(f"{path} holds other descriptors or codes than the model gives")


def _datum_difference(path: Path, old: Datum | None, new: Datum | None) -> str:
    if old is None:
        return f"{path} has no datum (its frame is an odometry's): places with GPS need a new map"
    if new is None:
        return f"{path} has a datum: places without GPS need a new map"
    return (
        f"{path} has its datum at {old.latitude:.7f}, {old.longitude:.7f} (zone {old.zone}): "
        "express the new places in it"
    )


def _unique_name(name: str, taken: set[str]) -> str:
    """Return a name that every file system can hold and that differs from all taken ones."""
    clean = re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", name)).strip("._") or "segment"
    clean = clean.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
    folded = {other.casefold() for other in taken}  # some file systems ignore case
    unique, number = clean, 2
    while unique.casefold() in folded:
        unique, number = f"{clean}-{number}", number + 1
    return unique


@contextmanager
def _errors_reported(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line that names the map."""
    try:
        yield
    except OSError as error:
        raise MapError(f"the map {path} cannot be written: {error.strerror or error}") from error
