"""Any pair of CSV files that give images and their positions."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import utm

from training.errors import DatasetError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.locations import Locations, find_positives, on_one_grid, rule
from training.evaluation.sets.folders import RADIUS

_DEGREES, _METRES = ("latitude", "longitude"), ("east", "north")
_KNOWN = ("path", *_DEGREES, *_METRES, "zone", "heading")


def table_set(
    database: Path,
    queries: Path,
    *,
    root: Path | None = None,
    radius: float = RADIUS,
    heading: float | None = None,
    name: str = "table",
    count_without_positives: bool = True,
) -> EvaluationSet:
    """Return the set of two CSV files.

    A file has a first line with names of columns: `path`, and `latitude` and `longitude` (degrees,
    WGS84) or `east` and `north` (metres), with `zone` ("10S") where these are UTM; `heading`
    (degrees) may be there. Other columns are left alone.

    Args:
        database, queries: the files.
        root: folder that paths are relative to; each file's own folder by default.
        radius, heading, name, count_without_positives: as for `folders_set`.

    Raises DatasetError, which names the line, for a file or a value that cannot be read.
    """
    places, asked = _read(database, root), _read(queries, root)
    positions = on_one_grid([places.locations, asked.locations])
    return EvaluationSet(
        name=name,
        variant=f"database {database}, queries {queries}, positions from the tables",
        database=places.paths,
        queries=asked.paths,
        positives=find_positives(asked.locations, places.locations, radius, heading),
        database_positions=positions[0],
        query_positions=positions[1],
        rule=rule(radius, heading),
        count_without_positives=count_without_positives,
        database_keys=places.keys,
        query_keys=asked.keys,
    )


@dataclass(frozen=True)
class _Table:
    keys: list[str]
    paths: list[Path]
    locations: Locations


def _read(path: Path, root: Path | None) -> _Table:
    folder = path.parent if root is None else root
    keys: list[str] = []
    rows: list[tuple[float, float]] = []
    zones: list[str] = []
    headings: list[float] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            geographic = all(name in columns for name in _DEGREES)
            if "path" not in columns or not (geographic or all(c in columns for c in _METRES)):
                raise DatasetError(
                    f"{path} needs the columns path, and latitude and longitude or east and north;"
                    f" it has {', '.join(columns) or 'none'}"
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                values = {key: (row.get(key) or "").strip() for key in _KNOWN}
                if not values["path"]:
                    raise DatasetError(f"{where}: the path is empty")
                first, second = (_number(values, key, where) for key in (
                    _DEGREES if geographic else _METRES
                ))  # fmt: skip
                position, zone = (
                    _projected(first, second, where)
                    if geographic
                    else ((first, second), values["zone"])
                )
                keys.append(values["path"])
                rows.append(position)
                zones.append(zone)
                headings.append(
                    _number(values, "heading", where) if values["heading"] else math.nan
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if not keys:
        raise DatasetError(f"{path} has no row")
    locations = Locations(np.array(rows, np.float64), zones, np.array(headings, np.float64))
    return _Table(keys, [folder / key for key in keys], locations)


def _number(values: dict[str, str], key: str, where: str) -> float:
    try:
        number = float(values[key])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DatasetError(f"{where}: {key} {values[key]!r} is not a number")
    return number


def _projected(latitude: float, longitude: float, where: str) -> tuple[tuple[float, float], str]:
    try:
        east, north, number, band = utm.from_latlon(latitude, longitude)
    except utm.OutOfRangeError as error:
        raise DatasetError(f"{where}: {error}") from None
    return (float(east), float(north)), f"{number}{band}"
