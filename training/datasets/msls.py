"""MSLS (Mapillary street-level sequences), the 22 cities of its train split.

    train_val/<city>/{database,query}/images/<key>.jpg
    train_val/<city>/{database,query}/raw.csv              key,lon,lat,ca,captured_at,pano

Database and queries are one set. Panoramas are left out. The compass angle is cut to an integer and
positions are projected from latitude and longitude, both as in the published division.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from training.datasets.file_names import month
from training.datasets.source import BAD_ENTRY, Candidate, Entry, Excluded, existing_folder
from training.datasets.tables import Line, number, read_lines
from training.errors import DatasetError

TRAIN_CITIES = (
    "amman",
    "amsterdam",
    "austin",
    "bangkok",
    "berlin",
    "boston",
    "budapest",
    "goa",
    "helsinki",
    "london",
    "manila",
    "melbourne",
    "moscow",
    "nairobi",
    "ottawa",
    "paris",
    "phoenix",
    "saopaulo",
    "tokyo",
    "toronto",
    "trondheim",
    "zurich",
)
PANORAMA = "panorama"

_COLUMNS = ("key", "lon", "lat", "ca", "captured_at", "pano")
_EXPECTED = "MSLS with train_val/<city>/{database,query}/{raw.csv,images}"
_MILLISECONDS = re.compile(r"\d{12,14}")


class Msls:
    """Reader of the train cities of MSLS. See training.datasets.source.Source."""

    name = "msls"
    version = 1

    def __init__(self, root: Path) -> None:
        """root: the folder that holds train_val. Raises DatasetError if no train city is in it."""
        self.root = root
        folder = existing_folder(root, "train_val", *TRAIN_CITIES, expected=_EXPECTED)
        folder = folder if folder.name == "train_val" else root
        tables = {
            city: [folder / city / side / "raw.csv" for side in ("database", "query")]
            for city in TRAIN_CITIES
            if (folder / city).is_dir()
        }
        if not tables:
            raise DatasetError(f"{folder} holds none of the train cities: expected {_EXPECTED}")
        for table in (table for city in tables.values() for table in city):
            if not table.is_file():
                raise DatasetError(f"{table} is missing: expected {_EXPECTED}")
        self._tables = tables
        lacking = [city for city in TRAIN_CITIES if city not in tables]
        self.notes: Sequence[str] = (
            [f"{len(lacking)} of the 22 train cities are not there: {', '.join(lacking)}"]
            if lacking
            else []
        )

    def entries(self) -> Iterator[Entry]:
        """Yield the images of the database and the queries, city by city."""
        for city, tables in self._tables.items():
            for table in tables:
                images = (table.parent / "images").relative_to(self.root).as_posix()
                for line in read_lines(table, _COLUMNS):
                    yield _entry(city, images, line)


def _entry(city: str, images: str, line: Line) -> Entry:
    fields = line.fields
    if not fields["key"]:
        where = f"{images.removesuffix('images')}raw.csv line {line.number}"
        return Excluded(where, city, BAD_ENTRY, "no key", faulty=True)
    path = f"{images}/{fields['key']}.jpg"
    if fields["pano"].strip().lower() in ("true", "1"):
        return Excluded(path, city, PANORAMA)
    angle = number(fields["ca"])
    return Candidate(
        path,
        city,
        latitude=number(fields["lat"]),
        longitude=number(fields["lon"]),
        heading=angle if math.isnan(angle) else int(angle),
        date=_month(fields["captured_at"]),
    )


def _month(captured_at: str) -> str:
    """Return the month of a date, or of milliseconds since 1970."""
    if _MILLISECONDS.fullmatch(captured_at):
        return f"{datetime.fromtimestamp(int(captured_at) / 1000, timezone.utc):%Y-%m}"
    return month(captured_at)
