from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from selavpr_core.errors import StorageError
from training.errors import DatasetError
from training.index import PlaceIndex, Row, write_index
from training.index.manifest import MANIFEST, SCHEMA, TABLE, Manifest
from training.index.writing import TableWriter, replaced_folder


def rows() -> list[Row]:
    return [
        Row(f"{place}/{image}.jpg", "mine", "town", f"mine/town/{place % 2}.0.0", place)
        for place in (3, 0, 2, 1)
        for image in (1, 0)
    ]


def test_rows_are_sorted_and_numbered(tmp_path: Path) -> None:
    write_index(tmp_path / "index", rows(), {"mine": tmp_path}, {"mine": {"M": 15}})
    table = pq.read_table(tmp_path / "index" / TABLE)
    assert table.schema.equals(SCHEMA)
    assert table["path"].to_pylist() == [f"{p}/{i}.jpg" for p in (1, 3, 0, 2) for i in (0, 1)]
    assert table["place"].to_pylist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert table["group"].to_pylist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert all(math.isnan(value) for value in table["easting"].to_pylist())
    manifest = Manifest.read(tmp_path / "index")
    assert [(g.name, g.city, g.places, g.images) for g in manifest.groups] == [
        ("mine/town/1.0.0", "town", 2, 4),
        ("mine/town/0.0.0", "town", 2, 4),
    ]
    assert manifest.roots == {"mine": str(tmp_path)}
    assert manifest.settings == {"mine": {"M": 15}}


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    write_index(tmp_path / "a", rows(), {"mine": tmp_path})
    write_index(tmp_path / "b", rows(), {"mine": tmp_path})
    for name in (TABLE, MANIFEST):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_table_does_not_depend_on_how_its_rows_come(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.index.writing._ROWS_TOGETHER", 3)
    write_index(tmp_path / "index", rows(), {"mine": tmp_path})
    table = pq.read_table(tmp_path / "index" / TABLE)
    fingerprints = set()
    for step in (1, 2, 5, 8):
        writer = TableWriter(tmp_path)
        for start in range(0, table.num_rows, step):
            writer.add(table.slice(start, step))
        fingerprints.add(writer.close())
    assert len(fingerprints) == 1
    assert pq.ParquetFile(tmp_path / TABLE).num_row_groups == 3


def test_a_dataset_without_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no root is given for mine"):
        write_index(tmp_path / "index", rows(), {})


def test_an_index_is_replaced(tmp_path: Path) -> None:
    write_index(tmp_path / "index", rows(), {"mine": tmp_path})
    write_index(tmp_path / "index", rows()[:2], {"mine": tmp_path})
    assert PlaceIndex.load(tmp_path / "index").images == 2
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


class Crash(Exception):
    pass


def crash_while_writing(output: Path) -> None:
    with replaced_folder(output) as aside:
        (aside / MANIFEST).write_text("half")
        raise Crash


def test_a_crash_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "index"
    with pytest.raises(Crash):
        crash_while_writing(output)
    assert not list(tmp_path.iterdir())
    write_index(output, rows(), {"mine": tmp_path})
    with pytest.raises(Crash):
        crash_while_writing(output)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert PlaceIndex.load(output).images == 8


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".index.partial").mkdir()
    (tmp_path / ".index.partial" / "half").touch()
    write_index(tmp_path / "index", rows(), {"mine": tmp_path})
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_two_runs_do_not_write_one_index(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "index") as aside:
        (aside / MANIFEST).write_text("{}")
        with pytest.raises(StorageError, match="another program is writing to"):
            write_index(tmp_path / "index", rows(), {"mine": tmp_path})
        assert (aside / MANIFEST).is_file()
    assert [path.name for path in (tmp_path / "index").iterdir()] == [MANIFEST]
    write_index(tmp_path / "index", rows(), {"mine": tmp_path})
    assert PlaceIndex.load(tmp_path / "index").images == 8


def test_a_run_killed_between_its_two_renames_loses_nothing(tmp_path: Path) -> None:
    write_index(tmp_path / "index", rows(), {"mine": tmp_path})
    (tmp_path / "index").rename(tmp_path / "index.former")
    with pytest.raises(Crash):
        crash_while_writing(tmp_path / "index")
    assert PlaceIndex.load(tmp_path / "index").images == 8


def test_a_folder_with_other_things_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DatasetError, match="is there and is no index"):
        write_index(tmp_path, rows(), {"mine": tmp_path})
    with pytest.raises(DatasetError, match="is there and is no index"):
        write_index(tmp_path / "holiday.jpg", rows(), {"mine": tmp_path})
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_an_empty_folder_becomes_the_index(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    write_index(tmp_path / "index", rows(), {"mine": tmp_path})
    assert PlaceIndex.load(tmp_path / "index").places == 4


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot be written"):
        write_index(tmp_path / "file" / "index", rows(), {"mine": tmp_path})
