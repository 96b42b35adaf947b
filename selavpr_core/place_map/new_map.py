"""Putting a map together beside its place, so that it is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selavpr_core.errors import MapError
from selavpr_core.place_map.manifest import (
    MANIFEST_NAME,
    Manifest,
    StoredFile,
    write_manifest,
)
from selavpr_core.place_map.segment import (
    SEGMENT_FOLDER,
    THUMBNAIL_FOLDER,
    file_metadata,
)
from selavpr_core.place_map.spool import Contents
from selavpr_core.place_map.tensor_file import file_blocks, write_tensor_file
from selavpr_core.place_map.write_errors import write_errors_named
from selavpr_core.storage.durable import make_folder, publish, sync_folder
from selavpr_core.storage.lock import LOCK_NAME, lock_folder, unlock

_WORK = ".merging"  # folder in which a map is put together, or how its name ends


class NewMap:
    """The folder in which a map is put together; made by `new_map`."""

    def __init__(self, work: Path) -> None:
        self._work = work

    def adopt(self, source: Path, stored: StoredFile) -> StoredFile:
        """Link a file of another map, or copy it where that cannot be: segments never change."""
        target = self._work / stored.file
        make_folder(target.parent)
        try:
            os.link(source, target)
            sync_folder(target.parent)
        except OSError:  # another file system, or one without links
            temporary = target.with_name(target.name + ".new")
            with temporary.open("wb") as copy:
                for block in file_blocks(source):
                    copy.write(block)
            publish(temporary, target)
        return stored

    def store(self, file: str, tensors: Contents, source: str) -> StoredFile:
        """Write a file of tensors; `source` is the segment's."""
        target = self._work / file
        make_folder(target.parent)
        temporary = target.with_name(target.name + ".new")
        digest = write_tensor_file(temporary, tensors, file_metadata(source))
        publish(temporary, target)
        return StoredFile.at(file, digest)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, which names what was adopted and stored."""
        write_manifest(self._work, manifest, self._work / f"{MANIFEST_NAME}.new")


@contextmanager
def new_map(output: Path) -> Iterator[NewMap]:
    """Put a map together; it appears at `output` when the block ends, unless by an exception.

    Args:
        output: must not exist, or be an empty folder.

    Raises:
        MapError: there is something at `output`, another program makes a map there, or it cannot
            be written.
    """
    with write_errors_named(output):
        fill = can_be_filled(output)
        work = output / _WORK if fill else output.with_name(f".{output.name}{_WORK}")
        make_folder(work)
        lock = lock_folder(work)
        try:
            _clear(work)  # what a killed program left
            yield NewMap(work)
            if fill:
                _move_into(output, work)
            else:
                os.replace(work, output)
                sync_folder(output.parent)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        finally:
            unlock(lock)


def can_be_filled(output: Path) -> bool:
    """Tell whether a new map goes into a folder that is there; False: into one of its own.

    An empty folder is filled, not replaced: a shell may stand in it, or a disk be mounted there.

    Raises:
        MapError: there is anything else, if only a link that leads nowhere.
    """
    with write_errors_named(output):
        if not os.path.lexists(output):
            return False
        if output.is_dir() and {entry.name for entry in output.iterdir()} <= {_WORK}:
            return True
    raise MapError(f"{output} exists already: give the new map another name")


def _clear(work: Path) -> None:
    for entry in work.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK_NAME:
            entry.unlink()


def _move_into(output: Path, work: Path) -> None:
    """Move a finished map into the folder around it, the manifest last: it makes it a map."""
    moved: list[Path] = []
    try:
        for folder in (SEGMENT_FOLDER, THUMBNAIL_FOLDER):
            if (work / folder).exists():
                moved.append(output / folder)
                os.replace(work / folder, output / folder)
        sync_folder(output)
        publish(work / MANIFEST_NAME, output / MANIFEST_NAME)
    except BaseException:
        if not (output / MANIFEST_NAME).exists():
            for folder_path in moved:
                shutil.rmtree(folder_path, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)
