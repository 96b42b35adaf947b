from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import DatasetError
from training.evaluation.sets.files import FilesBelow, existing_folder, folder_pair, image_files


@settings(deadline=None)
@given(st.lists(st.text("ab/", min_size=1, max_size=4), max_size=8), st.data())
def test_files_below_are_a_list_of_paths(names: list[str], data: st.DataObject) -> None:
    files, paths = FilesBelow(Path("root"), names), [Path("root") / name for name in names]
    assert (len(files), list(files)) == (len(paths), paths)
    bound = st.none() | st.integers(-10, 10)
    cut = slice(data.draw(bound), data.draw(bound), data.draw(bound.filter(lambda n: n != 0)))
    assert list(files[cut]) == paths[cut]
    for number in range(-len(paths), len(paths)):
        assert files[number] == paths[number]
    with pytest.raises(IndexError):
        files[len(paths)]


def test_images_are_listed_below_a_folder_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/1.png", "a/10.jpeg", "a/notes.txt", "z.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert image_files(tmp_path) == ["a/1.png", "a/10.jpeg", "b/2.JPG", "z.jpg"]


def test_a_list_beside_the_folder_keeps_its_order_and_needs_no_folder(tmp_path: Path) -> None:
    (tmp_path / "database_images_paths.txt").write_text("b.jpg\n\n a.jpg\nb.jpg\n")
    assert image_files(tmp_path / "database") == ["b.jpg", " a.jpg", "b.jpg"]
    assert existing_folder(tmp_path, "images", "database") == tmp_path / "database"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\n \n", "names no image"), (b"\xff\xfe\n", "cannot be read"), (b"", "names no image")],
)
def test_a_list_that_is_none_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "database_images_paths.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=f"database_images_paths.txt {message}"):
        image_files(tmp_path / "database")


def test_a_folder_without_images_and_none_at_all_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match=r"holds no image \(\.jpg, \.jpeg, \.png\)"):
        image_files(tmp_path)
    with pytest.raises(DatasetError, match="is not a folder of images: check the path"):
        image_files(tmp_path / "notes.txt")


def test_database_and_queries_are_of_one_parent(tmp_path: Path) -> None:
    (tmp_path / "images" / "database").mkdir(parents=True)
    (tmp_path / "test" / "ref").mkdir(parents=True)
    (tmp_path / "test" / "query").mkdir()
    names = (("", "images", "test"), ("database", "ref"), ("queries", "query"))
    assert folder_pair(tmp_path, *names) == (tmp_path / "test" / "ref", tmp_path / "test" / "query")
    (tmp_path / "images" / "queries").mkdir()
    assert folder_pair(tmp_path, *names) == (
        tmp_path / "images" / "database", tmp_path / "images" / "queries",
    )  # fmt: skip
    assert folder_pair(tmp_path, ("nowhere",), *names[1:]) is None
