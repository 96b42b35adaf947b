from __future__ import annotations

import os
from pathlib import Path

import pytest

from test.training.datasets.trees import save_images
from training.datasets.source import existing_folder, images_below
from training.errors import DatasetError


def test_images_come_in_sorted_order_relative_to_the_root(tmp_path: Path) -> None:
    names = ["b/2.jpg", "b/10.JPEG", "a.png", "b/c/1.jpg", "z@1/@1@2@.jpg"]
    save_images(tmp_path, names)
    for other in ("notes.txt", "b/list.csv", "b/.hidden.jpg"):
        (tmp_path / other).write_text("x")
    save_images(tmp_path, [".cache/1.jpg"])
    assert list(images_below(tmp_path, tmp_path)) == [
        "a.png",
        "b/10.JPEG",
        "b/2.jpg",
        "b/c/1.jpg",
        "z@1/@1@2@.jpg",
    ]
    assert list(images_below(tmp_path / "b" / "c", tmp_path)) == ["b/c/1.jpg"]


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    save_images(tmp_path / "elsewhere", ["1.jpg"])
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    assert list(images_below(root, root)) == ["link/1.jpg"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "closed").mkdir()
    listing = os.scandir

    def scandir(folder: Path):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return listing(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DatasetError, match="closed cannot be listed: Permission denied"):
        list(images_below(tmp_path, tmp_path))


def test_the_first_layout_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert existing_folder(tmp_path, "a", "b", expected="x") == tmp_path / "b"


def test_a_wrong_folder_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="is not that: expected a tree"):
        existing_folder(tmp_path, "a", expected="a tree")
    for path in ("file", "nothing"):
        with pytest.raises(DatasetError, match="is no folder: expected a tree"):
            existing_folder(tmp_path / path, ".", expected="a tree")
