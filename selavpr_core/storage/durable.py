"""Files and folders that are on the disk for good before anybody relies on them."""

from __future__ import annotations

import os
from pathlib import Path

from selavpr_core.errors import StorageError


def sync_file(path: Path) -> None:
    """Return once the file's bytes are on the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Return once the names in a folder are on the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> bool:
    """Make a folder and its parents, durably; return whether it is new.

    Raises:
        StorageError: there is a file of that name.
    """
    if path.is_dir():
        return False
    if path.exists():
        raise StorageError(f"{path} is a file: give a folder")
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)
    return True


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file its final name, atomically and durably.

    The file's bytes are forced to the disk before the rename and the folder after it, so that a
    crash leaves either what had the name before or the whole new file. Both paths must be on one
    file system.
    """
    sync_file(temporary)
    os.replace(temporary, final)
    sync_folder(final.parent)
