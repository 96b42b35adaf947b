"""Where images were taken, and which of them are near each other, across UTM zones too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import utm
from numpy.typing import NDArray

from selavpr_core.errors import GeodesyError
from selavpr_core.evaluation import positives_within
from selavpr_core.geodesy import Datum
from training.errors import EvaluationError


@dataclass(frozen=True)
class Locations:
    """Positions and headings of N images.

    Attributes:
        positions: [N, 2] float64, metres east and north on the grid of each image's zone.
        zones: for each image its UTM zone, number and band ("10S"); "" on a grid without zone.
        headings: [N] degrees, NaN where unknown; the set's own sense of rotation.
    """

    positions: NDArray[np.float64]
    zones: Sequence[str]
    headings: NDArray[np.float64]


def find_positives(
    queries: Locations, database: Locations, radius: float, heading: float | None = None
) -> list[NDArray[np.int64]]:
    """Find, for each query, the database images near it.

    Args:
        queries, database: images on the same grid, or with zones. A query is compared on the
            grid of its own zone, to which database images of other zones are converted.
        radius: metres, inclusive.
        heading: degrees that headings may differ by, inclusive; an unknown heading fails. None
            compares positions alone.

    Returns:
        For each query database numbers, ascending [k] int64.

    Raises EvaluationError where only some positions have a zone, a zone does not exist, or
    headings are asked for and there are none.
    """
    grids = sorted({_grid(zone) for zone in {*queries.zones, *database.zones}})
    if len(grids) > 1 and grids[0] == _NO_ZONE:
        raise EvaluationError("some images have a UTM zone and others none: give all of them one")
    positives: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(queries.zones)
    query_grids = _grids(queries.zones)
    for grid in grids:
        rows = np.flatnonzero((query_grids == grid).all(axis=1))
        near = positives_within(queries.positions[rows], _on_grid(database, grid), radius)
        for row, numbers in zip(rows, near, strict=True):
            positives[row] = numbers
    if heading is None:
        return positives
    if np.isnan(queries.headings).all() or np.isnan(database.headings).all():
        raise EvaluationError("the set has no headings: leave --heading out")
    turned = [
        np.abs((database.headings[numbers] - angle + 180) % 360 - 180)
        for numbers, angle in zip(positives, queries.headings, strict=True)
    ]
    return [n[t <= heading] for n, t in zip(positives, turned, strict=True)]


def on_one_grid(locations: Sequence[Locations]) -> list[NDArray[np.float64]]:
    """Return the positions [N, 2] of each, all on the grid of the most frequent zone.

    NaN where a position is too far from that zone.
    """
    every = [grid for part in locations for grid in map(_grid, part.zones)]
    if not every:
        return [part.positions for part in locations]
    grid = max(sorted(set(every)), key=every.count)
    return [_on_grid(part, grid) for part in locations]


def rule(radius: float, heading: float | None) -> str:
    """Return the rule in words: "25 m", "25 m and 40 degrees"."""
    return f"{radius:g} m" + ("" if heading is None else f" and {heading:g} degrees")


_NO_ZONE = (0, 1)


@lru_cache
def _grid(zone: str) -> tuple[int, int]:
    """Return number and hemisphere (1 north, 0 south): bands of one zone share their grid."""
    if not zone:
        return _NO_ZONE
    number, band = zone[:-1], zone[-1:].upper()
    if not number.isdecimal() or not 1 <= int(number) <= 60 or band not in "CDEFGHJKLMNPQRSTUVWX":
        raise EvaluationError(f"UTM zone {zone!r} does not exist: write a number and a band, 10S")
    return int(number), int(band >= "N")


def _grids(zones: Iterable[str]) -> NDArray[np.int64]:
    return np.array([_grid(zone) for zone in zones], np.int64).reshape(-1, 2)


def _on_grid(locations: Locations, grid: tuple[int, int]) -> NDArray[np.float64]:
    """Return positions [N, 2] on one grid, NaN for those too far from it."""
    grids = _grids(locations.zones)
    result = locations.positions.copy()
    for other in {tuple(row) for row in grids.tolist()} - {grid}:
        rows = np.flatnonzero((grids == other).all(axis=1))
        result[rows] = _converted(result[rows], other, grid)
    return result


def _converted(
    positions: NDArray[np.float64], source: tuple[int, ...], target: tuple[int, int]
) -> NDArray[np.float64]:
    result = np.full_like(positions, np.nan)
    known = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if not len(known):
        return result
    try:
        latitudes, longitudes = utm.to_latlon(
            *positions[known].T, source[0], northern=bool(source[1]), strict=False
        )
        # A datum on the target's meridian: any would do, since its own position is added again.
        datum = Datum(0.0, target[0] * 6.0 - 183.0, 0.0, target[0], northern=bool(target[1]))
    except (utm.OutOfRangeError, GeodesyError) as error:
        raise EvaluationError(
            f"a position in UTM zone {source[0]} is impossible: {error}"
        ) from None
    held = datum.holds(latitudes, longitudes)
    grid = datum.to_map(np.asarray(latitudes)[held], np.asarray(longitudes)[held])
    result[known[held]] = grid[:, :2] + datum.utm_origin
    return result
