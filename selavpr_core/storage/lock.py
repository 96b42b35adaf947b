"""One writer at a time: the lock of a folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from selavpr_core.errors import StorageError

LOCK_NAME = ".lock"


def lock_folder(folder: Path) -> int:
    """Take the lock of a folder and return the file descriptor that holds it.

    The kernel releases it when the process ends, in whatever way: no lock is ever stale.
    Raises StorageError if another process or writer holds it.
    """
    path = folder / LOCK_NAME
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before may have removed the whole folder: then this file is no longer the lock.
        current = path.stat()
        if (current.st_dev, current.st_ino) != (os.fstat(lock).st_dev, os.fstat(lock).st_ino):
            raise BlockingIOError
    except (BlockingIOError, FileNotFoundError):
        os.close(lock)
        raise StorageError(
            f"another program is writing to {folder}: wait until it has finished"
        ) from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def unlock(lock: int) -> None:
    """Release a lock that lock_folder returned."""
    # Explicitly: a forked child may still have the file open.
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)
