"""A user's own images, listed in a CSV."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.datasets.file_names import month
from training.datasets.source import BAD_ENTRY, Candidate, Entry, Excluded
from training.datasets.tables import Line, number, read_header, read_lines
from training.errors import DatasetError

COLUMNS = {
    "path": ("path", "image", "file"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng"),
    "east": ("east", "easting", "utm_east"),
    "north": ("north", "northing", "utm_north"),
    "zone": ("zone", "utm_zone"),
    "heading": ("heading", "yaw", "bearing", "compass"),
    "city": ("city",),
    "date": ("date", "timestamp"),
}
"""What may stand in a user's table, each with the names that a column of it may have."""


class OwnTable:
    """Reader of a CSV with a line for each image. See training.datasets.source.Source.

    Columns: path (absolute, or relative to the CSV's folder); latitude and longitude, or east and
    north in metres with an optional zone ("32U"); heading in degrees; optional city and date. Other
    columns are left alone. Without a city all lines are of one city, named like the table.
    """

    version = 1
    notes: Sequence[str] = ()

    def __init__(self, table: Path, name: str) -> None:
        """Raise DatasetError if the table cannot be read or a column is missing."""
        self.name = name
        self.root = table.absolute().parent
        self._table = table
        header = read_header(table)
        self._columns = {
            meaning: next((spelling for spelling in spellings if spelling in header), "")
            for meaning, spellings in COLUMNS.items()
        }
        has = {meaning for meaning, column in self._columns.items() if column}
        self._geographic = {"latitude", "longitude"} <= has
        if "path" not in has or not (self._geographic or {"east", "north"} <= has):
            raise DatasetError(
                f"{table} needs the columns path, latitude, longitude (or path, east, north);"
                f" it has {', '.join(header)}"
            )
        self.has_headings = "heading" in has

    def entries(self) -> Iterator[Entry]:
        """Yield the images in the table's order."""
        for line in read_lines(self._table):
            yield self._entry(line)

    def _entry(self, line: Line) -> Entry:
        def field(meaning: str) -> str:
            return line.fields.get(self._columns[meaning], "").strip()

        city = field("city") or self.name
        if not field("path"):
            where = f"{self._table.name} line {line.number}"
            return Excluded(where, city, BAD_ENTRY, "no path", faulty=True)
        heading, date = number(field("heading")), month(field("date"))
        path = self._relative(field("path"))
        if self._geographic:
            latitude, longitude = number(field("latitude")), number(field("longitude"))
            return Candidate(
                path, city, latitude=latitude, longitude=longitude, heading=heading, date=date
            )
        east, north = number(field("east")), number(field("north"))
        return Candidate(path, city, east, north, field("zone").upper(), heading=heading, date=date)

    def _relative(self, path: str) -> str:
        """Relative to the root where the image lies below it, so that the root can be moved."""
        below = os.path.relpath(path, self.root) if os.path.isabs(path) else os.path.normpath(path)
        kept = path if os.path.isabs(path) and below.startswith("..") else below
        return kept.replace(os.sep, "/")
