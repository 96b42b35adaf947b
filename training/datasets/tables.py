"""CSV tables, read line by line with every field as its own text."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from training.errors import DatasetError

_SEPARATORS = {";": "semicolons", "\t": "tabs"}


class Line(NamedTuple):
    """A line of a table: its number in the file, and its fields by column."""

    number: int
    fields: dict[str, str]


def read_header(path: Path) -> list[str]:
    """Return the names of a table's columns, in lower case.

    Raises:
        DatasetError: the file is missing, empty, no text, or separated by something else than
            commas.
    """
    try:
        with path.open("rb") as file:
            header = next(csv.reader([file.readline().decode("utf-8-sig")]), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV: {_short(error)}") from error
    if not header:
        raise DatasetError(f"{path} is empty: a CSV starts with a line of column names")
    if len(header) == 1 and (separator := next((s for s in _SEPARATORS if s in header[0]), None)):
        raise DatasetError(
            f"{path} separates its columns by {_SEPARATORS[separator]}: write it with commas, and"
            " numbers with points"
        )
    return [name.strip().lower() for name in header]


def read_lines(path: Path, columns: Sequence[str] = ()) -> Iterator[Line]:
    """Yield a table's lines; fields that a line lacks are empty, blank lines are passed over.

    Args:
        path: of the table.
        columns: that it must have.

    Raises:
        DatasetError: the file cannot be read or lacks a column.
    """
    header = read_header(path)
    if lacking := [column for column in columns if column not in header]:
        raise DatasetError(f"{path} has no column {', '.join(lacking)}; it has {', '.join(header)}")
    empty = dict.fromkeys(header, "")
    try:
        # A byte that is no text spoils its own line alone: the file it names will be missing.
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.reader(file)
            next(reader)
            for values in reader:
                if values:
                    yield Line(
                        reader.line_num, {**empty, **dict(zip(header, values, strict=False))}
                    )
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV: {_short(error)}") from error


def number(text: str) -> float:
    """Return a field as a finite number, or NaN."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _short(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
