from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.errors import DatasetError
from training.index import PlaceIndex, Row, write_index
from training.index.manifest import MANIFEST, TABLE, VERSION, file_fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        Row(f"{city}/{w}/{place}-{image}.jpg", dataset, city, f"{dataset}/{city}/0.0.{w}", place)
        for dataset, city in (("a", "rome"), ("a", "oslo"), ("b", "rome"))
        for w in (0, 1)
        for place in range(3)
        for image in range(place + 1)
    ]
    write_index(tmp_path / "index", rows, {"a": Path("/data/a"), "b": Path("/data/b@c")})
    return tmp_path / "index"


def test_places_groups_and_cities(folder: Path) -> None:
    index = PlaceIndex.load(folder)
    assert (index.images, index.places, index.groups) == (36, 18, 6)
    assert index.starts.tolist()[:7] == [0, 1, 3, 6, 7, 9, 12]
    assert index.starts.tolist()[-1] == 36
    assert index.starts.dtype == np.int64
    assert index.place_groups.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3 + [5] * 3
    assert index.place_groups.dtype == np.int32
    assert index.group_names[:2] == ("a/rome/0.0.0", "a/rome/0.0.1")
    # Rome of another dataset is the same city, whose places may be the same on the ground.
    assert index.group_cities.tolist() == [0, 0, 1, 1, 0, 0]
    assert index.fingerprint == file_fingerprint(folder / TABLE)


def test_a_city_is_the_same_in_every_spelling_of_every_dataset(tmp_path: Path) -> None:
    cities = [
        ("gsv-cities", "London"),
        ("msls", "london"),
        ("gsv-cities", "BuenosAires"),
        ("mine", "Buenos Aires"),
        ("msls", "saopaulo"),
        ("mine", "São Paulo"),
        ("gsv-cities", "PRS"),
        ("msls", "paris"),
        ("gsv-cities", "TRT"),
        ("msls", "toronto"),
        ("mine", "PRS"),  # an abbreviation of GSV-Cities alone
        ("mine", "東京"),
        ("mine", "京都"),
        ("mine", "-"),
        ("mine", "?"),
    ]
    rows = [Row("0.jpg", dataset, city, f"{dataset}/{city}", 0) for dataset, city in cities]
    write_index(tmp_path / "index", rows, {dataset: tmp_path for dataset, _ in cities})
    numbers = PlaceIndex.load(tmp_path / "index").group_cities
    assert numbers.dtype == np.int32
    assert numbers.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9]


def test_paths_are_those_of_the_datasets_root(folder: Path) -> None:
    index = PlaceIndex.load(folder)
    assert index.path(0) == Path("/data/a/rome/0/0-0.jpg")
    assert index.path(11) == Path("/data/a/rome/1/2-2.jpg")
    assert index.path(35) == Path("/data/b@c/rome/1/2-2.jpg")
    paths = {index.path(row) for row in range(index.images)}
    assert len(paths) == 36


def test_roots_may_lie_elsewhere(folder: Path) -> None:
    index = PlaceIndex.load(folder, {"b": Path("/mnt")})
    assert index.path(0) == Path("/data/a/rome/0/0-0.jpg")
    assert index.path(35) == Path("/mnt/rome/1/2-2.jpg")
    with pytest.raises(DatasetError, match="holds no dataset 'c'; it holds a, b"):
        PlaceIndex.load(folder, {"c": Path("/mnt")})


def test_it_travels_to_worker_processes(folder: Path) -> None:
    index = PlaceIndex.load(folder)
    copy = pickle.loads(pickle.dumps(index))
    assert [copy.path(row) for row in range(36)] == [index.path(row) for row in range(36)]


def test_a_large_table_is_read_in_parts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.index.place_index._ROWS_TOGETHER", 4)
    rows = [Row(f"{i:02d}.jpg", "a", "rome", "a/rome", i // 3) for i in range(30)]
    write_index(tmp_path / "index", rows, {"a": tmp_path})
    index = PlaceIndex.load(tmp_path / "index")
    assert index.starts.tolist() == list(range(0, 31, 3))
    assert [index.path(row).name for row in range(30)] == [f"{i:02d}.jpg" for i in range(30)]


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    entries = json.loads((folder / MANIFEST).read_text())
    edit(entries)
    (folder / MANIFEST).write_text(json.dumps(entries))


@pytest.mark.parametrize("version", [VERSION + 1, None, "1"])
def test_another_version_is_refused(folder: Path, version: object) -> None:
    change(folder, lambda entries: entries.update(version=version))
    with pytest.raises(DatasetError, match=f"has version {version!r}, and this program knows"):
        PlaceIndex.load(folder)


@pytest.mark.parametrize("entry", ["groups", "roots", "fingerprint"])
def test_a_manifest_without_an_entry_is_damaged(folder: Path, entry: str) -> None:
    change(folder, lambda entries: entries.pop(entry))
    with pytest.raises(DatasetError, match="is damaged"):
        PlaceIndex.load(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "\0\1", '{"version": 1}'])
def test_a_manifest_that_is_none_is_one_line(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    with pytest.raises(DatasetError) as caught:
        PlaceIndex.load(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_index_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DatasetError, match=r"is no index of places .*training\.prepare"):
            PlaceIndex.load(path)


def test_a_damaged_table_is_refused(folder: Path) -> None:
    table = folder / TABLE
    whole = table.read_bytes()
    table.write_bytes(whole[:-10])
    with pytest.raises(DatasetError, match="is damaged"):
        PlaceIndex.load(folder)
    table.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        PlaceIndex.load(folder)


def test_an_index_without_places_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path / "index", [], {})
    with pytest.raises(DatasetError, match="holds no place"):
        PlaceIndex.load(tmp_path / "index")
