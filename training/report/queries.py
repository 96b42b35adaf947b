"""Which queries went worst, and what was found for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import ModeResult

MATCHES = 3  # shown for a query, best first


@dataclass(frozen=True)
class Place:
    """One database image beside a query.

    number: in the database. rank: 1 is the best match; None beyond the ranking. similarity: None
    beyond the ranking. metres: from the query, None where a position is unknown. right: whether it
    is a positive.
    """

    number: int
    rank: int | None
    similarity: float | None
    metres: float | None
    right: bool


@dataclass(frozen=True)
class Failure:
    """A query with its first matches and the right place that ranks highest.

    first_right: the rank of the first positive, None where it lies beyond the ranking.
    right_place: that positive, or the nearest one, or the first; None for a query without any.
    """

    query: int
    matches: tuple[Place, ...]
    right_place: Place | None
    first_right: int | None


def first_right_ranks(
    rankings: NDArray[np.int64], positives: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return the rank [Q] of each query's first positive, 1 the best; infinity where none is.

    rankings: [Q, n] database numbers, best first, padded with -1.
    """
    ranks = np.full(len(positives), math.inf)
    for query, (ranking, right) in enumerate(zip(rankings, positives, strict=True)):
        hits = np.flatnonzero(np.isin(ranking, right))
        if len(hits):
            ranks[query] = hits[0] + 1
    return ranks


def most_confidently_wrong(
    mode: ModeResult, positives: Sequence[NDArray[np.int64]], counted: NDArray[np.bool_], limit: int
) -> list[int]:
    """Return the counted queries whose best match is wrong, the most similar match first.

    counted: [Q] which queries take part. Equal similarities are in the order of the queries.
    """
    ranks = first_right_ranks(mode.rankings[:, :1], positives)
    wrong = np.flatnonzero(counted & np.isinf(ranks) & _answered(mode))
    order = np.argsort(-mode.scores[wrong, 0].astype(np.float64), kind="stable")
    return [int(query) for query in wrong[order][:limit]]


def latest_right(
    mode: ModeResult,
    positives: Sequence[NDArray[np.int64]],
    counted: NDArray[np.bool_],
    limit: int,
    without: Sequence[int] = (),
) -> list[int]:
    """Return the counted queries with a positive whose first one ranks lowest, lowest first.

    Beyond the ranking is the lowest of all; among equals the least similar best match comes first,
    then the order of the queries. without: queries that are shown elsewhere.
    """
    ranks = first_right_ranks(mode.rankings, positives)
    having = np.array([len(right) > 0 for right in positives], bool)
    late = np.flatnonzero(counted & having & _answered(mode) & (ranks > 1))
    late = late[~np.isin(late, np.asarray(without, np.int64))]
    order = np.lexsort((mode.scores[late, 0].astype(np.float64), -ranks[late]))
    return [int(query) for query in late[order][:limit]]


def right_answers(
    mode: ModeResult, positives: Sequence[NDArray[np.int64]], limit: int
) -> list[int]:
    """Return queries whose best match is right, evenly over all such queries."""
    right = np.flatnonzero(first_right_ranks(mode.rankings[:, :1], positives) == 1)
    spread = np.linspace(0, len(right) - 1, limit + 2)[1:-1].round().astype(int)
    return [int(query) for query in right[np.unique(spread)]] if len(right) else []


def failure(mode: ModeResult, evaluation_set: EvaluationSet, query: int) -> Failure:
    """Return what was found for a query, and where it should have been."""
    ranking = mode.rankings[query]
    right = np.asarray(evaluation_set.positives[query], np.int64)
    found = ranking[ranking >= 0]
    matches = tuple(_place(mode, evaluation_set, query, int(number)) for number in found[:MATCHES])
    hits = np.flatnonzero(np.isin(found, right))
    if len(hits):
        best = int(found[hits[0]])
    elif len(right):
        best = min(right.tolist(), key=lambda n: (_metres(evaluation_set, query, n) or 0.0, n))
    else:
        return Failure(query, matches, None, None)
    place = _place(mode, evaluation_set, query, best)
    return Failure(query, matches, place, place.rank)


def _answered(mode: ModeResult) -> NDArray[np.bool_]:
    """Return which queries [Q] have a match at all."""
    return np.asarray(mode.rankings[:, 0] >= 0)


def _place(mode: ModeResult, evaluation_set: EvaluationSet, query: int, number: int) -> Place:
    columns = np.flatnonzero(mode.rankings[query] == number)
    return Place(
        number=number,
        rank=int(columns[0]) + 1 if len(columns) else None,
        similarity=float(mode.scores[query, columns[0]]) if len(columns) else None,
        metres=_metres(evaluation_set, query, number),
        right=bool(np.isin(number, evaluation_set.positives[query])),
    )


def _metres(evaluation_set: EvaluationSet, query: int, number: int) -> float | None:
    if evaluation_set.query_positions is None or evaluation_set.database_positions is None:
        return None
    offset = evaluation_set.query_positions[query] - evaluation_set.database_positions[number]
    distance = float(np.hypot(*offset[:2]))
    return distance if math.isfinite(distance) else None
