"""Recall@N: how often one of the first N places is a right one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def positives_within(
    query_positions: ArrayLike, place_positions: ArrayLike, radius: float
) -> list[NDArray[np.int64]]:
    """Find, for each query, the places at most `radius` metres away, horizontally.

    Args:
        query_positions: [Q, 2] or [Q, 3] metres; a height is ignored.
        place_positions: [N, 2] or [N, 3] metres, in the same frame.
        radius: metres, inclusive; most datasets of the field ask for 25.

    Returns:
        Q arrays of place numbers, ascending; empty for a query without positives. A position that
        is NaN is near nothing.
    """
    queries = np.asarray(query_positions, np.float64)
    places = np.asarray(place_positions, np.float64)
    # Sorted by x, the places that can be near a query are one short slice; it is a little too
    # wide, since rounding must not take away what the exact comparison keeps.
    order = np.argsort(places[:, 0], kind="stable")
    x = places[order, 0]
    width = radius * (1 + 1e-9) + 1e-6
    starts = np.searchsorted(x, queries[:, 0] - width, side="left")
    stops = np.searchsorted(x, queries[:, 0] + width, side="right")
    positives = []
    for query, start, stop in zip(queries, starts, stops, strict=True):
        near = order[start:stop]
        distances = np.hypot(places[near, 0] - query[0], places[near, 1] - query[1])
        positives.append(np.sort(near[distances <= radius]))
    return positives


def recall_at(
    rankings: Sequence[ArrayLike],
    positives: Sequence[ArrayLike],
    ns: Sequence[int],
    count_without_positives: bool,
) -> dict[int, float]:
    """Compute Recall@N: the share of queries with a positive among the first N places.

    Args:
        rankings: for each query the places found, best first; may be shorter than N, or empty
            where nothing was found.
        positives: for each query the right places.
        ns: the values of N.
        count_without_positives: whether a query without any positive stays in the denominator,
            where it can only fail. Both habits exist: say which one was used.

    Returns:
        The recall, 0 to 1, for each N; NaN if no query is counted.
    """
    firsts = []
    for ranking, right in zip(rankings, positives, strict=True):
        if not np.size(right) and not count_without_positives:
            continue
        hits = np.flatnonzero(np.isin(np.asarray(ranking), np.asarray(right)))
        firsts.append(int(hits[0]) if len(hits) else math.inf)
    return {n: sum(first < n for first in firsts) / len(firsts) if firsts else math.nan for n in ns}
