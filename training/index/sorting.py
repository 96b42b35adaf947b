"""Sorting more rows than memory holds: sorted runs on disk, merged block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

RUN_ROWS = 250_000
"""Rows that are sorted in memory at once: about 50 MB, three times that while they are sorted."""

_BLOCK_ROWS = 8192
_ORDER = [("key", "ascending"), ("path", "ascending")]


class ExternalSorter:
    """Takes tables of one schema with the columns key and path, and gives the rows in that order.

    key is of fixed-size binary, and both compare byte by byte.
    """

    def __init__(self, folder: Path, run_rows: int = RUN_ROWS) -> None:
        """folder: for the runs; it is made and stays, so that the caller decides when it goes."""
        folder.mkdir()
        self._folder = folder
        self._run_rows = run_rows
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._runs: list[Path] = []
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Take rows, in any order."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.rows += table.num_rows
        if self._waiting_rows >= self._run_rows:
            self._write_run()

    def sorted(self) -> Iterator[pa.Table]:
        """Yield all rows in order, in tables of a bounded number of rows."""
        if self._waiting_rows:
            self._write_run()
        runs = [_blocks(run) for run in self._runs]
        heads = [next(run) for run in runs]
        while heads:
            # What lies up to the smallest last row of all blocks can no longer be preceded.
            last = min(_last(head) for head in heads)
            ready: list[pa.Table] = []
            still_runs, still_heads = [], []
            for run, head in zip(runs, heads, strict=True):
                count = _rows_up_to(head, last)
                ready.append(head.slice(0, count))
                rest = head.slice(count) if count < head.num_rows else next(run, None)
                if rest is not None:
                    still_runs.append(run)
                    still_heads.append(rest)
            runs, heads = still_runs, still_heads
            yield _in_order(pa.concat_tables(ready))

    def _write_run(self) -> None:
        table = _in_order(pa.concat_tables(self._waiting))
        self._waiting, self._waiting_rows = [], 0
        path = self._folder / f"{len(self._runs)}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=_BLOCK_ROWS)
        self._runs.append(path)


def _blocks(run: Path) -> Iterator[pa.Table]:
    with pa.OSFile(str(run), "rb") as file, pa.ipc.open_file(file) as reader:
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])


def _in_order(table: pa.Table) -> pa.Table:
    return table.take(pc.sort_indices(table, sort_keys=_ORDER))


def _last(block: pa.Table) -> tuple[bytes, bytes]:
    return block["key"][-1].as_py(), block["path"][-1].as_py().encode()


def _rows_up_to(block: pa.Table, last: tuple[bytes, bytes]) -> int:
    key = pa.scalar(last[0], block["key"].type)
    path = pa.scalar(last[1].decode(), block["path"].type)
    below = pc.less(block["key"], key)
    equal = pc.and_(pc.equal(block["key"], key), pc.less_equal(block["path"], path))
    return int(pc.sum(pc.or_(below, equal)).as_py() or 0)
