"""GSV-Cities: panoramas cut at the same places over the years; it has places of its own.

Dataframes/<City>.csv     place_id,year,month,northdeg,city_id,lat,lon,panoid
Images/<city_id>/<city_id>_<place_id>_<year>_<month>_<northdeg>_<lat>_<lon>_<panoid>.jpg
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from training.datasets.source import BAD_ENTRY, Candidate, Entry, Excluded, existing_folder
from training.datasets.tables import Line, number, read_lines
from training.errors import DatasetError

ABBREVIATED = {"OSL": "Oslo", "PRG": "Prague", "PRS": "Paris", "TRT": "Toronto"}
"""Its cities that are not called by their names."""

_COLUMNS = ("place_id", "year", "month", "northdeg", "city_id", "lat", "lon", "panoid")
_LARGEST_PLACE = (1 << 31) - 1
_EXPECTED = "GSV-Cities with Dataframes/<City>.csv and Images/<City>/*.jpg"


class GsvCities:
    """Reader of GSV-Cities. See training.datasets.source.Source."""

    name = "gsv-cities"
    version = 1
    notes: Sequence[str] = ()

    def __init__(self, root: Path) -> None:
        """root: the folder that holds Dataframes and Images. Raises DatasetError if it does not."""
        self.root = root
        existing_folder(root, "Images", expected=_EXPECTED)
        self._tables = sorted(existing_folder(root, "Dataframes", expected=_EXPECTED).glob("*.csv"))
        if not self._tables:
            raise DatasetError(f"{root / 'Dataframes'} holds no CSV: expected {_EXPECTED}")

    def entries(self) -> Iterator[Entry]:
        """Yield the images that the tables name, city by city."""
        for table in self._tables:
            for line in read_lines(table, _COLUMNS):
                yield _entry(table.stem, line)


def _entry(city: str, line: Line) -> Entry:
    fields = line.fields
    try:
        place, year, month, heading = (int(fields[name]) for name in _COLUMNS[:4])
        if not 0 <= place <= _LARGEST_PLACE:
            raise ValueError(f"place_id {place} is not from 0 to {_LARGEST_PLACE}")
    except ValueError as error:
        return Excluded(
            f"Dataframes/{city}.csv line {line.number}", city, BAD_ENTRY, str(error), faulty=True
        )
    # The name of the file holds the position as the table writes it, not as a number prints.
    folder, lat, lon = fields["city_id"], fields["lat"], fields["lon"]
    file = f"{folder}_{place:07d}_{year:04d}_{month:02d}_{heading:03d}_{lat}_{lon}"
    return Candidate(
        path=f"Images/{folder}/{file}_{fields['panoid']}.jpg",
        city=city,
        latitude=number(lat),
        longitude=number(lon),
        heading=heading,
        date=f"{year:04d}-{month:02d}",
        place=place,
    )
