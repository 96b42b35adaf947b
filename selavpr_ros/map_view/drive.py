"""A drive's queries, the map's answers to them, and how far off these are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.alignment import align
from selavpr_core.retrieval import Localizer, Match, margin
from selavpr_core.retrieval.asking import ask

_SHOWN = 5  # matches of each query


@dataclass(frozen=True)
class Drive:
    """Queries and answers, Q of them.

    Attributes:
        name: of the drive, for people.
        queries: the drive as a map of its own.
        matches: the best few matches of each query, best first.
        margins: [Q] how much more similar the best is than any elsewhere.
        positions, headings: [Q, 3] metres and [Q] radians in the map's frame; None where nothing
            says how the drive's frame lies in it.
        note: how the positions are known, or why they are not.
        mode, candidates: of the search.
    """

    name: str
    queries: PlaceMap
    matches: list[list[Match]]
    margins: NDArray[np.float64]
    positions: NDArray[np.float64] | None
    headings: NDArray[np.float32] | None
    note: str
    mode: str
    candidates: int

    @property
    def best(self) -> NDArray[np.int64]:
        """[Q] the place of each query's best match."""
        return np.array([matches[0].place for matches in self.matches], np.int64)

    def errors(self, place_map: PlaceMap) -> NDArray[np.float64]:
        """[Q] metres from the best match to where the query was taken; NaN where unknown."""
        if self.positions is None:
            return np.full(len(self.matches), math.nan)
        steps = place_map.positions[self.best] - self.positions
        errors: NDArray[np.float64] = np.hypot(steps[:, 0], steps[:, 1])
        return errors

    def nearest(self, place_map: PlaceMap) -> NDArray[np.float64]:
        """[Q] metres from where a query was taken to the map's nearest place; NaN where unknown."""
        if self.positions is None:
            return np.full(len(self.matches), math.nan)
        x, y = place_map.positions[:, 0], place_map.positions[:, 1]
        return np.array([np.hypot(x - at[0], y - at[1]).min() for at in self.positions])


def answered_drive(
    localizer: Localizer,
    queries: PlaceMap,
    name: str,
    progress: Callable[[int], object] | None = None,
) -> Drive:
    """Ask a map for every place of a drive.

    Where the two do not have the same datum, the drive's own frame is aligned with the map by the
    matches themselves: errors are then what is left of them.

    Args:
        localizer: searches the map.
        queries: the drive, described by the map's model.
        name: of the drive, for people.
        progress: is called with 1 for each query.

    Raises:
        MapError: the map has no places.
    """
    place_map = localizer.place_map
    if not len(place_map):
        raise MapError(f"{place_map.path} has no places to find")
    shown, margins = [], []
    for matches in ask(localizer, queries, range(len(queries)), localizer.candidates):
        shown.append(matches[:_SHOWN])
        margins.append(margin(matches, place_map.positions))
        if progress is not None:
            progress(1)
    positions, headings, note = _located(place_map, queries, shown)
    return Drive(
        name,
        queries,
        shown,
        np.array(margins),
        positions,
        headings,
        note,
        localizer.mode,
        localizer.candidates,
    )


def _located(
    place_map: PlaceMap, queries: PlaceMap, matches: list[list[Match]]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float32] | None, str]:
    if queries.datum is not None and queries.datum == place_map.datum:
        return queries.positions, queries.headings, "Positions of the queries are their own fixes'."
    best = [found[0].place for found in matches]
    try:
        alignment = align(
            queries.positions,
            place_map.positions[best],
            queries.headings,
            place_map.headings[best],
        )
    except MapError as error:
        return (
            None,
            None,
            (
                f"Where the queries were taken is not known: the drive has a frame of its own, and"
                f" {error}."
            ),
        )
    return (
        alignment.transform.positions(queries.positions),
        alignment.transform.headings(queries.headings),
        f"The drive has a frame of its own; it was laid over the map by the"
        f" {int(alignment.agreeing.sum())} of {len(best)} matches that agree, so errors are what"
        f" is left of them ({alignment.rms:.1f} m rms of those).",
    )
