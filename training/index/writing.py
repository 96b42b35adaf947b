"""Writing an index: rows in, a folder out, complete or not at all."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selavpr_core.storage.durable import sync_file, sync_folder
from selavpr_core.storage.lock import LOCK_NAME, lock_folder, unlock
from training.errors import DatasetError
from training.index.manifest import MANIFEST, SCHEMA, TABLE, Group, Manifest, file_fingerprint

_ROWS_TOGETHER = 1 << 17  # rows of a Parquet row group: the same for every input, whatever its path


class TableWriter:
    """Writes rows to index.parquet, in row groups whose size does not depend on how they come."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / TABLE
        self._writer = pq.ParquetWriter(
            self._path,
            SCHEMA,
            compression="zstd",
            use_dictionary=["dataset", "city", "zone", "date"],
            store_schema=False,
        )
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, rows: pa.Table) -> None:
        """Append rows of the index's schema, which come in the order of (group, place, path)."""
        self._waiting.append(rows)
        self._rows += rows.num_rows
        while self._rows >= _ROWS_TOGETHER:
            self._flush(_ROWS_TOGETHER)

    def _flush(self, count: int) -> None:
        table = pa.concat_tables(self._waiting)
        self._writer.write_table(table.slice(0, count).combine_chunks())
        rest = table.slice(count)
        self._waiting, self._rows = [rest], rest.num_rows

    def close(self) -> str:
        """Finish the file and return its fingerprint."""
        if self._rows:
            self._flush(self._rows)
        self._writer.close()
        return file_fingerprint(self._path)


@contextmanager
def replaced_folder(output: Path) -> Iterator[Path]:
    """Yield an empty folder beside the output that becomes the output when the block ends well.

    An index that is there stays until then; when the block fails it stays for good. Between the two
    renames of the exchange it is called OUTPUT.former.

    Raises:
        DatasetError: the output is something other than an index or an empty folder, or it cannot
            be written.
        StorageError: another process is writing the same output.
    """
    output = Path(os.path.abspath(output))
    if output.exists() and not (output / MANIFEST).is_file() and not _is_empty_folder(output):
        raise DatasetError(f"{output} is there and is no index: give a new folder")
    aside = output.with_name(f".{output.name}.partial")
    former = output.with_name(f"{output.name}.former")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir(exist_ok=True)
        lock = lock_folder(aside)
    except OSError as error:
        raise DatasetError(f"the index {output} cannot be written: {error}") from error
    try:
        if former.exists() and not output.exists():  # stopped between the two renames
            former.rename(output)
        shutil.rmtree(former, ignore_errors=True)
        _clear(aside)
        yield aside
        for file in aside.iterdir():
            sync_file(file)
        if output.exists():
            output.rename(former)
        aside.rename(output)
        (output / LOCK_NAME).unlink()  # not before: nobody else may take what has that name
        sync_folder(output.parent)
        shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        raise DatasetError(f"the index {output} cannot be written: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        unlock(lock)


def _clear(folder: Path) -> None:
    """Remove what a run that was killed left in a folder, but for the lock."""
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != LOCK_NAME:
            left.unlink()


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


@dataclass(frozen=True)
class Row:
    """One image of an index that write_index makes.

    Attributes:
        path: relative to the dataset's root, with forward slashes.
        dataset, city: names.
        group: name of the group, "mine/town/0.0.0": places of one group may share a batch.
        place: number of the place within its group; the index numbers the places anew.
        easting, northing: metres. zone: "10S". heading: degrees. date: "2014-06".
    """

    path: str
    dataset: str
    city: str
    group: str
    place: int
    easting: float = math.nan
    northing: float = math.nan
    zone: str = ""
    heading: float = math.nan
    date: str = ""


def write_index(
    folder: Path,
    rows: Iterable[Row],
    roots: Mapping[str, Path],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write a small index from rows in memory, for tests and for places that are known already.

    Groups are numbered in the order in which they first appear, places by (group, place).

    Args:
        folder: becomes the index; an index that is there is replaced.
        rows: in any order.
        roots: folder of each dataset that the rows name.
        settings: of each dataset, to be kept in index.json.

    Raises:
        DatasetError: a dataset has no root, or the folder cannot be written.
    """
    rows = list(rows)
    if unknown := sorted({row.dataset for row in rows} - set(roots)):
        raise DatasetError(f"no root is given for {', '.join(unknown)}")
    numbers = {name: number for number, name in enumerate(dict.fromkeys(r.group for r in rows))}
    rows.sort(key=lambda row: (numbers[row.group], row.place, row.path))
    groups: list[Group] = []
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    place = -1
    for (name, number), members in groupby(rows, key=lambda row: (row.group, numbers[row.group])):
        first_place, first_row = place + 1, len(columns["path"])
        for _, images in groupby(members, key=lambda row: row.place):
            place += 1
            for row in images:
                numbered = {**vars(row), "group": number, "place": place}
                for column, values in columns.items():
                    values.append(numbered[column])
        city = columns["dataset"][first_row], columns["city"][first_row]
        images_of_group = len(columns["path"]) - first_row
        groups.append(Group(name, *city, place + 1 - first_place, images_of_group))
    with replaced_folder(folder) as aside:
        writer = TableWriter(aside)
        writer.add(pa.table(columns, schema=SCHEMA))
        Manifest(
            roots={name: os.path.abspath(root) for name, root in roots.items()},
            settings={name: dict(values) for name, values in (settings or {}).items()},
            groups=groups,
            fingerprint=writer.close(),
        ).write(aside)
