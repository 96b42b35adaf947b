"""Any pair of folders whose images have their positions in their names."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from training.datasets.file_names import parse_image_name
from training.errors import DatasetError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.locations import Locations, find_positives, on_one_grid, rule
from training.evaluation.sets.files import FilesBelow, image_files

RADIUS = 25.0


def folders_set(
    database: Path,
    queries: Path,
    *,
    radius: float = RADIUS,
    heading: float | None = None,
    name: str = "folders",
    variant: str = "",
    count_without_positives: bool = True,
    query_shorter_side: int | None = None,
) -> EvaluationSet:
    """Return the set of two folders of images with `@` names.

    Args:
        database, queries: folders, searched with all below them.
        radius: metres within which a database image is a right one.
        heading: degrees that headings may differ by; None compares positions alone.
        name, variant, count_without_positives, query_shorter_side: of the set.

    Raises DatasetError for a folder without images or a name without position, EvaluationError
    for headings that are asked for and not there.
    """
    database_keys, query_keys = image_files(database), image_files(queries)
    database_at, queries_at = name_locations(database_keys), name_locations(query_keys)
    positions = on_one_grid([database_at, queries_at])
    return EvaluationSet(
        name=name,
        variant=variant or f"database {database}, queries {queries}, positions from names",
        database=FilesBelow(database, database_keys),
        queries=FilesBelow(queries, query_keys),
        positives=find_positives(queries_at, database_at, radius, heading),
        database_positions=positions[0],
        query_positions=positions[1],
        rule=rule(radius, heading),
        count_without_positives=count_without_positives,
        database_keys=database_keys,
        query_keys=query_keys,
        query_shorter_side=query_shorter_side,
    )


def name_locations(names: list[str]) -> Locations:
    """Return what `@` names say; DatasetError names the first without a position."""
    positions, headings = np.empty((len(names), 2)), np.empty(len(names))
    zones: list[str] = []
    try:
        for i, name in enumerate(names):
            said = parse_image_name(name)
            positions[i] = said.easting, said.northing
            headings[i] = math.nan if said.heading is None else said.heading
            zones.append(sys.intern(said.zone or ""))  # one text for all, in sets of millions
    except DatasetError as error:
        raise DatasetError(f"{error}; images without such names need a CSV") from None
    return Locations(positions, zones, headings)
