"""Writing a place map: segments are spooled to disk, finished, then named in the manifest."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.calibration import Calibration
from selavpr_core.place_map.manifest import (
    MANIFEST_NAME,
    Manifest,
    ModelInfo,
    SegmentInfo,
    StoredFile,
    check_same_model,
    read_manifest,
    write_manifest,
)
from selavpr_core.place_map.segment import (
    SEGMENT_FOLDER,
    THUMBNAIL_FOLDER,
    file_metadata,
    unique_name,
)
from selavpr_core.place_map.segment_writer import SegmentWriter
from selavpr_core.place_map.spool import Contents, SegmentContents
from selavpr_core.place_map.tensor_file import write_tensor_file
from selavpr_core.place_map.write_errors import write_errors_named
from selavpr_core.storage.durable import make_folder, publish
from selavpr_core.storage.lock import LOCK_NAME, lock_folder, unlock

_WORK_FOLDER = ".writing"  # everything unfinished; removed by the next writer


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
        with write_errors_named(self.path):
            self._created = make_folder(self.path)
            _check_not_foreign(self.path)
            self._lock: int | None = lock_folder(self.path)
            try:
                self._manifest = self._open(model, datum)
            except BaseException:
                self.close()
                raise

    def _open(self, model: ModelInfo, datum: Datum | None) -> Manifest:
        if (self.path / MANIFEST_NAME).exists():
            manifest = read_manifest(self.path)
            if manifest.segments:
                check_same_model(self.path, manifest.model, model)
                if manifest.datum != datum:
                    raise MapError(_datum_difference(self.path, manifest.datum, datum))
                self._remove_leftovers(manifest)
                return manifest
        empty = Manifest(model, datum, ())
        self._remove_leftovers(empty)
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
            shutil.rmtree(self.path / _WORK_FOLDER, ignore_errors=True)
            unlock(self._lock)
            self._lock = None

    @property
    def segments(self) -> tuple[SegmentInfo, ...]:
        """The segments that the map holds now."""
        return self._manifest.segments

    def set_calibration(self, calibration: Calibration | None) -> None:
        """Replace the map's calibration, durably; None removes it. Segments added later keep it.

        Raises:
            MapError: the map cannot be written, or the writer is closed.
        """
        if self._lock is None:
            raise MapError(f"the writer of {self.path} is closed")
        with write_errors_named(self.path):
            self._replace_manifest(replace(self._manifest, calibration=calibration))

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
        with (
            self._writing(name) as (unique, work),
            SegmentWriter(unique, self._manifest.model, work) as segment,
        ):
            yield segment
            if len(segment):
                self._finish(unique, source, segment.contents(), work)

    def add_segment(
        self, name: str, source: str, contents: SegmentContents, replaces: Collection[str] = ()
    ) -> SegmentInfo:
        """Write a segment whose places are all there already, and return its entry.

        Args:
            name: as for `segment`.
            source: as for `segment`.
            contents: of the segment.
            replaces: names of segments that the new one stands for. It takes the place of the
                first of them in the manifest's order; a crash leaves either them or it. What has
                them open may go on reading all but their thumbnails.

        Raises:
            MapError: as `segment`, or the map has no segment of a name in `replaces`.
        """
        missing = set(replaces) - {segment.name for segment in self._manifest.segments}
        if missing:
            raise MapError(f"{self.path} has no segment {min(missing)!r} that could be replaced")
        with self._writing(name) as (unique, work):
            return self._finish(unique, source, contents, work, replaces)

    @contextmanager
    def _writing(self, name: str) -> Iterator[tuple[str, Path]]:
        """Give a new segment its name and a folder to work in; drop it with an exception."""
        if self._lock is None:
            raise MapError(f"the writer of {self.path} is closed")
        if self._segment_open:
            raise MapError(f"a segment of {self.path} is being written: finish it first")
        unique = unique_name(name, {segment.name for segment in self._manifest.segments})
        work = self.path / _WORK_FOLDER / unique
        self._segment_open = True
        try:
            with write_errors_named(self.path):
                work.mkdir(parents=True)
            yield unique, work
        except BaseException:
            # An interrupt may have come before or after the manifest was replaced: it decides.
            # Should this fail too, what went wrong first is what the caller must hear.
            with suppress(OSError, MapError):
                self._manifest = read_manifest(self.path)
                self._remove_leftovers(self._manifest)
            raise
        finally:
            self._segment_open = False
            shutil.rmtree(work, ignore_errors=True)

    def _finish(
        self,
        name: str,
        source: str,
        contents: SegmentContents,
        work: Path,
        replaces: Collection[str] = (),
    ) -> SegmentInfo:
        source = source.encode(errors="replace").decode()  # a path need not be valid Unicode
        data = self._store(name, contents.data, source, work, SEGMENT_FOLDER)
        thumbnails = None
        if contents.thumbnails is not None:
            thumbnails = self._store(name, contents.thumbnails, source, work, THUMBNAIL_FOLDER)
        info = SegmentInfo(
            name=name,
            source=source,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            count=contents.count,
            first_stamp=contents.first_stamp,
            last_stamp=contents.last_stamp,
            data=data,
            thumbnails=thumbnails,
            camera=contents.camera,
        )
        segments = list(self._manifest.segments)
        at = next((n for n, old in enumerate(segments) if old.name in replaces), len(segments))
        segments.insert(at, info)
        kept = tuple(segment for segment in segments if segment.name not in replaces)
        with write_errors_named(self.path):
            self._replace_manifest(replace(self._manifest, segments=kept))
        if replaces:
            with suppress(OSError):  # or the next writer removes them
                self._remove_leftovers(self._manifest)
        return info

    def _store(
        self, name: str, tensors: Contents, source: str, work: Path, folder: str
    ) -> StoredFile:
        temporary = work / f"{folder}.safetensors"
        stored = f"{folder}/{name}.safetensors"
        with write_errors_named(self.path):
            digest = write_tensor_file(temporary, tensors, file_metadata(source))
            make_folder(self.path / folder)
            publish(temporary, self.path / stored)
        return StoredFile.at(stored, digest)

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


def _check_not_foreign(folder: Path) -> None:
    """Refuse a folder that holds anything but a map, or what a writer killed at once left there."""
    names = {entry.name for entry in folder.iterdir()}
    foreign = sorted(names - {LOCK_NAME, _WORK_FOLDER})
    if foreign and MANIFEST_NAME not in names:
        raise MapError(
            f"{folder} is not a place map and not empty (it has {foreign[0]}): give another folder"
        )


def _datum_difference(path: Path, old: Datum | None, new: Datum | None) -> str:
    if old is None:
        return f"{path} has no datum (its frame is an odometry's): places with GPS need a new map"
    if new is None:
        return f"{path} has a datum: places without GPS need a new map"
    return (
        f"{path} has its datum at {old.latitude:.7f}, {old.longitude:.7f} (zone {old.zone}): "
        "express the new places in it"
    )
