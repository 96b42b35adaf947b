from __future__ import annotations

import os
from pathlib import Path

import pytest

from selavpr_core.errors import StorageError
from selavpr_core.storage import durable


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record which files and folders are synced and renamed, in order."""
    recorded: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        recorded.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        recorded.append(f"rename {Path(source).name} {Path(target).name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return recorded


def test_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, calls: list[str]
) -> None:
    (tmp_path / "new").write_text("x")
    durable.publish(tmp_path / "new", tmp_path / "final")
    assert calls == ["sync new", "rename new final", f"sync {tmp_path.name}"]
    assert (tmp_path / "final").read_text() == "x"


def test_every_new_folder_is_on_disk(tmp_path: Path, calls: list[str]) -> None:
    assert durable.make_folder(tmp_path / "a/b/c")
    assert calls == [f"sync {tmp_path.name}", "sync a", "sync b"]
    assert not durable.make_folder(tmp_path / "a/b/c")
    assert len(calls) == 3


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(StorageError, match="a is a file"):
        durable.make_folder(tmp_path / "a")
    with pytest.raises(StorageError, match="a is a file"):
        durable.make_folder(tmp_path / "a/b")
