"""Database and queries from above, with the matches between them, as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import ModeResult
from training.report.alignment import draw_alignment
from training.report.matches import count_words, draw_query, spread_matches
from training.report.svg import (
    Element,
    dots,
    drawing,
    element,
    markup,
    number,
    path,
    round_step,
)

Points = NDArray[np.float64]

MAPS = 4  # regions drawn, those with most queries
_DOTS = 4000  # places drawn in one map
_GAP = 2000.0  # metres without any image that part two regions
_WIDTH, _TALLEST = 960.0, 640.0
_MARGIN, _FOOT = 22.0, 40.0


@dataclass(frozen=True)
class TrackMap:
    """One region: the drawing and what was left out of it, in words."""

    drawing: Markup
    caption: str


@dataclass(frozen=True)
class Tracks:
    """All regions that are drawn. note: what is not drawn at all, in words; may be empty."""

    maps: tuple[TrackMap, ...]
    note: str


def draw_tracks(mode: ModeResult, evaluation_set: EvaluationSet) -> Tracks | None:
    """Draw where places and queries lie, and each query's best match as a line.

    Images more than some kilometres from all others, as those of another city, come into a map of
    their own. A region that is one straight line is drawn as match over query along that line.
    Huge sets are thinned: places to one a small cell, queries to every k-th. None where
    the set has no positions, or no query has one.
    """
    if evaluation_set.query_positions is None or evaluation_set.database_positions is None:
        return None
    places = np.asarray(evaluation_set.database_positions, np.float64)[:, :2]
    queries = np.asarray(evaluation_set.query_positions, np.float64)[:, :2]
    known = np.isfinite(queries).all(axis=1)
    if not known.any():
        return None
    regions = _regions(np.concatenate([places, queries]))
    place_regions, query_regions = regions[: len(places)], regions[len(places) :]
    found, counts = np.unique(query_regions[known], return_counts=True)
    chosen = found[np.argsort(-counts, kind="stable")]
    maps = tuple(
        _draw(
            mode, evaluation_set, places, queries,
            np.flatnonzero(place_regions == region), np.flatnonzero(query_regions == region),
        )
        for region in chosen[:MAPS]
    )  # fmt: skip
    notes = []
    if len(chosen) > MAPS:
        notes.append(f"{len(chosen) - MAPS} more regions, with fewer queries, are not drawn.")
    if not known.all():
        notes.append(f"{int((~known).sum())} queries without a position on this grid are left out.")
    return Tracks(maps, " ".join(notes))


def _regions(positions: Points) -> NDArray[np.int64]:
    """Return the number of the region that each position [N, 2] lies in; -1 where it is NaN.

    Two images are in one region if steps from image to image lead from one to the other that
    hardly exceed the gap.
    """
    regions = np.full(len(positions), -1, np.int64)
    known = np.flatnonzero(np.isfinite(positions).all(axis=1))
    cells, owner = np.unique(
        np.floor(positions[known] / _GAP).astype(np.int64), axis=0, return_inverse=True
    )
    pairs = cKDTree(cells).query_pairs(1.0, p=np.inf, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(cells), len(cells)))
    regions[known] = connected_components(links, directed=False)[1][owner.ravel()]
    return regions


def _draw(
    mode: ModeResult,
    evaluation_set: EvaluationSet,
    places: Points,
    queries: Points,
    place_numbers: NDArray[np.int64],
    query_numbers: NDArray[np.int64],
) -> TrackMap:
    everything = np.concatenate([places[place_numbers], queries[query_numbers]])
    aligned = draw_alignment(mode, evaluation_set, everything, query_numbers)
    if aligned is not None:
        return TrackMap(*aligned)
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.maximum(high - low, 10.0)
    scale = min((_WIDTH - 2 * _MARGIN) / span[0], (_TALLEST - 2 * _MARGIN) / span[1])
    width = max(span[0] * scale + 2 * _MARGIN, 360.0)
    height = span[1] * scale + 2 * _MARGIN + _FOOT
    corner = np.array([width / 2, (height - _FOOT) / 2])

    def at(points: Points) -> Points:
        return corner + (points - (low + high) / 2) * [scale, -scale]

    shown, cell = _thinned(at(places[place_numbers]))
    matches, step = spread_matches(mode, evaluation_set, query_numbers)
    root = drawing(
        width, height,
        f"Map of {len(place_numbers)} places and {len(matches)} queries with their best matches",
    )  # fmt: skip
    root.set("class", "tracks")
    root.set("style", f"max-width: {number(width)}px")
    element(root, "path", class_="places", d=dots(shown))
    inside = set(place_numbers[np.isin(place_numbers, [m.place for m in matches])].tolist())
    # Wrong matches are long lines: they go below the right ones, and all lines below the dots.
    for outcome in ("wrong", "right"):
        for match in matches:
            if match.place in inside and match.outcome == outcome:
                ends = at(np.stack([queries[match.query], places[match.place]]))
                element(root, "path", class_=f"match {outcome}", d=path(ends))
    for match in matches:
        x, y = at(queries[match.query]).tolist()
        away = float(np.hypot(*(queries[match.query] - places[match.place])))
        where = f"{away:.0f} m away" if match.place in inside else "outside of this map"
        draw_query(root, match, x, y, evaluation_set, where)
    _scale_bar(root, scale, height)
    caption = f"{len(place_numbers):,} places"
    if len(shown) < len(place_numbers):
        caption += f" (one dot for all within {cell / scale:.3g} m)"
    caption += f"; {count_words(len(query_numbers), matches, step)}"
    outside = sum(match.place >= 0 and match.place not in inside for match in matches)
    if outside:
        caption += f"; {outside} of the matches lie outside of this map"
    return TrackMap(markup(root), caption + ".")


def _thinned(points: Points) -> tuple[Points, float]:
    """Return at most 4000 of the points [N, 2], one a cell, and the cell's side.

    The first point of each cell stays, so that the shape of the whole is kept.
    """
    cell = 1.0
    shown = points
    while len(shown) > _DOTS:
        cell *= 1.5
        keys = np.floor(points / cell).astype(np.int64) @ np.array([1 << 32, 1])
        shown = points[np.sort(np.unique(keys, return_index=True)[1])]
    return shown, cell


def _scale_bar(root: Element, scale: float, height: float) -> None:
    metres = round_step(180.0 / scale, 1)
    right, y = _MARGIN + metres * scale, height - 16
    element(root, "path", class_="scale-bar",
            d=path([(_MARGIN, y - 5), (_MARGIN, y), (right, y), (right, y - 5)]))  # fmt: skip
    words = f"{metres:g} m" if metres < 1000 else f"{metres / 1000:g} km"
    element(root, "text", words, class_="tick", x=right + 9, y=y + 3)
