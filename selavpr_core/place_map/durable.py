"""Files that are complete on disk before they get their name."""

from __future__ import annotations

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Return once the file's bytes are on the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file its final name, atomically and durably.

    The file's bytes are forced to the disk before the rename and the directory after it, so that
    a crash leaves either what had the name before or the whole new file. Both paths must be on
    one filesystem.
    """
    sync_file(temporary)
    os.replace(temporary, final)
    sync_directory(final.parent)
