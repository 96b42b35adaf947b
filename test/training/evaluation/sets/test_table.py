from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import DatasetError
from training.evaluation import table_set

from ...datasets.trees import write_table


def test_degrees_and_metres(tmp_path: Path) -> None:
    geographic = ("path", "latitude", "longitude")
    database = write_table(
        tmp_path / "day" / "db.csv",
        geographic,
        [("a.jpg", 55.7, 11.9999), ("sub/b.jpg", 55.7, 12.01), ("/abs/c.jpg", 55.7, 12.0)],
    )
    queries = write_table(tmp_path / "q.csv", geographic, [("a.jpg", 55.7, 12.0001)])
    found = table_set(database, queries)
    assert [p.tolist() for p in found.positives] == [[0, 2]]  # across a border of zones
    assert list(found.database) == [
        tmp_path / "day" / "a.jpg",
        tmp_path / "day" / "sub" / "b.jpg",
        Path("/abs/c.jpg"),
    ]
    assert list(found.queries) == [tmp_path / "a.jpg"]


def test_metres_headings_and_radius(tmp_path: Path) -> None:
    header = ("path", "east", "north", "heading")
    database = write_table(
        tmp_path / "db.csv", header, [("a.jpg", 0, 0, 350), ("b.jpg", 0, 0, 90), ("c.jpg", 0, 9, 0)]
    )
    queries = write_table(tmp_path / "q.csv", header, [("q.jpg", 0, 1, 5)])
    assert table_set(database, queries).positives[0].tolist() == [0, 1, 2]
    assert table_set(database, queries, heading=40).positives[0].tolist() == [0, 2]
    assert table_set(database, queries, radius=5, heading=40).positives[0].tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a.jpg", "", 12.0)], "a.jpg has no position"),
        ([("a.jpg", "north", 12.0)], "a.jpg has no position"),
        ([("a.jpg", 95.0, 12.0)], "a.jpg: latitude out of range"),
        ([("", 55.0, 12.0)], "line 2"),
        ([], "names no image"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, rows: list, message: str) -> None:
    table = write_table(tmp_path / "db.csv", ("path", "latitude", "longitude"), rows)
    with pytest.raises(DatasetError, match=message):
        table_set(table, table)
