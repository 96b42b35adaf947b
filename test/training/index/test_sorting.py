from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from training.index.sorting import ExternalSorter

ROWS = st.lists(st.tuples(st.binary(min_size=2, max_size=2), st.text(max_size=3)), max_size=60)


def as_table(rows: list[tuple[bytes, str]], numbers: list[int]) -> pa.Table:
    return pa.table(
        {
            "key": pa.array([key for key, _ in rows], pa.binary(2)),
            "path": pa.array([path for _, path in rows], pa.string()),
            "number": pa.array(numbers, pa.int64()),
        }
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=6), st.sampled_from([1, 7, 50, 1000]))
def test_rows_come_out_in_order_with_what_belongs_to_them(
    tables: list[list[tuple[bytes, str]]], run_rows: int
) -> None:
    given = [row for table in tables for row in table]
    with tempfile.TemporaryDirectory() as folder:
        sorter = ExternalSorter(Path(folder) / "runs", run_rows)
        start = 0
        for table in tables:
            sorter.add(as_table(table, list(range(start, start + len(table)))))
            start += len(table)
        assert sorter.rows == len(given)
        found = [row for table in sorter.sorted() for row in table.to_pylist()]
    order = [(row["key"], row["path"]) for row in found]
    assert order == sorted(given, key=lambda row: (row[0], row[1].encode()))
    assert sorted(row["number"] for row in found) == list(range(len(given)))
    assert all((row["key"], row["path"]) == given[row["number"]] for row in found)


def test_many_rows_are_spilled_and_come_in_bounded_tables(tmp_path: Path) -> None:
    sorter = ExternalSorter(tmp_path / "runs", run_rows=10_000)
    count, step = 60_000, 7919  # a prime: every number once, in another order
    for start in range(0, count, 1000):
        numbers = [(row * step) % count for row in range(start, start + 1000)]
        rows = [(b"k%d" % (number % 3), f"{number:06d}") for number in numbers]
        sorter.add(as_table(rows, numbers))
    assert len(list((tmp_path / "runs").iterdir())) == 6
    tables = list(sorter.sorted())
    assert max(table.num_rows for table in tables) <= 6 * 8192
    numbers = [number for table in tables for number in table["number"].to_pylist()]
    assert numbers == sorted(range(count), key=lambda number: (number % 3, number))
