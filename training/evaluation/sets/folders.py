"""Any pair of folders whose images have their positions in their names."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from training.datasets.file_names import parse_image_name
from training.errors import DatasetError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.locations import Locations, find_positives, on_one_grid, rule
from training.evaluation.sets.files import image_files

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
        database=[database / key for key in database_keys],
        queries=[queries / key for key in query_keys],
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
    try:
        parsed = [parse_image_name(name) for name in names]
    except DatasetError as error:
        raise DatasetError(f"{error}; images without such names need a CSV") from None
    return Locations(
        positions=np.array([(p.easting, p.northing) for p in parsed], np.float64).reshape(-1, 2),
        zones=[p.zone or "" for p in parsed],
        headings=np.array([math.nan if p.heading is None else p.heading for p in parsed]),
    )
