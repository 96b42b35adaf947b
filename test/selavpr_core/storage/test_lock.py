from __future__ import annotations

import os
from pathlib import Path

import pytest

from selavpr_core.errors import StorageError
from selavpr_core.storage.lock import LOCK_NAME, lock_folder, unlock


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with pytest.raises(StorageError, match="another program is writing"):
        lock_folder(tmp_path)
    unlock(lock)
    unlock(lock_folder(tmp_path))


def test_a_refused_attempt_leaks_no_file(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(StorageError):
            lock_folder(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
    unlock(lock)


def test_a_copy_of_the_descriptor_does_not_keep_it(tmp_path: Path) -> None:
    # As in a child that was forked while the lock was held.
    lock = lock_folder(tmp_path)
    copy = os.dup(lock)
    unlock(lock)
    unlock(lock_folder(tmp_path))
    os.close(copy)


def test_a_lock_file_that_was_just_removed_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    real = fcntl.flock

    def replaced_meanwhile(file: int, operation: int) -> None:
        (tmp_path / LOCK_NAME).unlink()
        (tmp_path / LOCK_NAME).touch()
        real(file, operation)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", replaced_meanwhile)
        with pytest.raises(StorageError, match="another program"):
            lock_folder(tmp_path)
    unlock(lock_folder(tmp_path))
