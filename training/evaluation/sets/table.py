"""Any pair of CSV files that give images and their positions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import utm

from training.datasets.own_table import OwnTable
from training.datasets.source import Candidate
from training.errors import DatasetError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.locations import Locations, find_positives, on_one_grid, rule
from training.evaluation.sets.files import FilesBelow
from training.evaluation.sets.folders import RADIUS


def table_set(
    database: Path,
    queries: Path,
    *,
    radius: float = RADIUS,
    heading: float | None = None,
    count_without_positives: bool = True,
) -> EvaluationSet:
    """Return the set of two CSV files, with the columns that `training.prepare` reads.

    These are `path` (relative to the file's own folder), `latitude` and `longitude` in degrees, or
    `east` and `north` in metres with an optional `zone` ("10S"), and an optional `heading` in
    degrees.

    Args:
        database, queries: the files.
        radius, heading, count_without_positives: as for `folders_set`.

    Raises DatasetError, which names the image, for a file or a position that cannot be read.
    """
    database_keys, database_at = _read(database)
    query_keys, queries_at = _read(queries)
    positions = on_one_grid([database_at, queries_at])
    return EvaluationSet(
        name="tables",
        variant=f"database {database}, queries {queries}, positions from the tables",
        database=FilesBelow(database.parent, database_keys),
        queries=FilesBelow(queries.parent, query_keys),
        positives=find_positives(queries_at, database_at, radius, heading),
        database_positions=positions[0],
        query_positions=positions[1],
        rule=rule(radius, heading),
        count_without_positives=count_without_positives,
        database_keys=database_keys,
        query_keys=query_keys,
    )


def _read(path: Path) -> tuple[list[str], Locations]:
    """Return the paths and the locations of a table's images."""
    keys: list[str] = []
    positions: list[tuple[float, float]] = []
    zones: list[str] = []
    headings: list[float] = []
    for entry in OwnTable(path, path.stem).entries():
        if not isinstance(entry, Candidate):
            raise DatasetError(f"{path}: {entry.path}: {entry.detail or entry.reason}")
        position, zone = _grid_position(entry, path)
        keys.append(entry.path)
        positions.append(position)
        zones.append(zone)
        headings.append(entry.heading)
    if not keys:
        raise DatasetError(f"{path} names no image")
    return keys, Locations(np.array(positions, np.float64), zones, np.array(headings, np.float64))


def _grid_position(entry: Candidate, path: Path) -> tuple[tuple[float, float], str]:
    if not math.isnan(entry.easting) and not math.isnan(entry.northing):
        return (entry.easting, entry.northing), entry.zone
    if math.isnan(entry.latitude) or math.isnan(entry.longitude):
        raise DatasetError(f"{path}: {entry.path} has no position that is a number")
    try:
        east, north, zone, band = utm.from_latlon(entry.latitude, entry.longitude)
    except utm.OutOfRangeError as error:
        raise DatasetError(f"{path}: {entry.path}: {error}") from None
    return (float(east), float(north)), f"{zone}{band}"
