from __future__ import annotations

from pathlib import Path

import pytest

from selavpr_core.errors import StorageError
from selavpr_ros.whole_file import whole_file


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("old")
    with whole_file(path) as file:
        file.write("new \udcff\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == b"new ?\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_what_there_was(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        raise KeyboardInterrupt(file.write("half"))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "no" / "page", "No such file"), (tmp_path, "Is a directory")):
        refused = pytest.raises(StorageError, match=f"{path} cannot be written: {said}")
        with refused, whole_file(path) as file:
            file.write("text")
        assert list(tmp_path.iterdir()) == []
