from __future__ import annotations

import os
from pathlib import Path

import pytest

from selavpr_core.errors import StorageError
from selavpr_core.place_map import read_manifest
from selavpr_ros.whole_file import refuse_unwritable, whole_file
from test.selavpr_core.place_map.maps import places, write_map


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
    missing = tmp_path / "no"
    for path, said in ((missing / "page", f"there is no folder {missing}"), (tmp_path, "it is a")):
        refused = pytest.raises(StorageError, match=f"{path} cannot be written: {said}")
        with refused, whole_file(path) as file:
            file.write("text")
        with refused:
            refuse_unwritable(path)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_nobody_may_write_to_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may be root, who may."""
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(StorageError, match=f"page cannot be written: {tmp_path} is read-only"):
        refuse_unwritable(tmp_path / "page")


def test_asking_whether_it_could_be_written_writes_nothing(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "page")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "page").write_text("old")
    refuse_unwritable(tmp_path / "page")
    assert (tmp_path / "page").read_text() == "old"


@pytest.mark.parametrize("name", [".", "", "/"])
def test_a_folder_is_refused_by_whatever_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="it is a folder"), whole_file(Path(name)):
        pass


@pytest.mark.parametrize("name", ["n" * 300, "n" * 253, "circle"])
def test_names_that_no_file_can_have_are_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(StorageError, match="cannot be written"), whole_file(tmp_path / name):
        pass


def test_a_pipe_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="no regular file"), whole_file(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()
    reading, writing = os.pipe()  # as /dev/stdout is one, in front of another program
    with pytest.raises(StorageError, match="no regular file"):
        refuse_unwritable(Path(f"/dev/fd/{writing}"))
    os.close(reading)
    os.close(writing)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("old")
    (tmp_path / "link").symlink_to("page")
    with whole_file(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "page").read_text() == "new"


def test_files_of_a_map_are_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "campus"
    write_map(path, {"lap": places(3)})
    files = [path / name for name in ("map.json", *read_manifest(path).files())]
    before = [file.read_bytes() for file in files]
    for file in files:
        with pytest.raises(StorageError, match="a part of a place map"), whole_file(file):
            pass
    assert [file.read_bytes() for file in files] == before
    for beside in (path / "page.html", tmp_path / "map.json"):
        for text in ("old", "new"):  # and once more, where it is there
            with whole_file(beside) as written:
                written.write(text)
            assert beside.read_text() == text
