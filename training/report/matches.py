"""How a query's best match is shown in a drawing: its mark, its line's class and its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import ModeResult
from training.report.svg import Element, element, number

QUERIES = 600  # drawn in one map, at most


@dataclass(frozen=True)
class Match:
    """The best match of a query. place: -1 where there is none."""

    query: int
    place: int
    outcome: str  # "right", "wrong" or "unanswered"


def spread_matches(
    mode: ModeResult, evaluation_set: EvaluationSet, queries: NDArray[np.int64]
) -> tuple[list[Match], int]:
    """Return the best matches of every k-th of the queries, at most 600, and k."""
    step = max(1, -(-len(queries) // QUERIES))
    matches = []
    for query in queries[::step].tolist():
        place = int(mode.rankings[query, 0])
        right = bool(np.isin(place, evaluation_set.positives[query]))
        outcome = "unanswered" if place < 0 else "right" if right else "wrong"
        matches.append(Match(query, place, outcome))
    return matches, step


def draw_query(
    root: Element, match: Match, x: float, y: float, evaluation_set: EvaluationSet, where: str
) -> None:
    """Draw a right query as a dot, a wrong one as a cross, an unanswered one as a ring.

    where: words on where the match lies.
    """
    if match.outcome == "wrong":
        spot = element(root, "path", class_="query wrong", d="M-4-4L4 4M4-4L-4 4",
                       transform=f"translate({number(x)} {number(y)})")  # fmt: skip
    else:
        spot = element(root, "circle", class_=f"query {match.outcome}", r=3.2, cx=x, cy=y)
    words = f"query {evaluation_set.query_keys[match.query]}: "
    if match.place < 0:
        words += "not answered"
    else:
        words += f"{match.outcome}, {evaluation_set.database_keys[match.place]}, {where}"
    element(spot, "title", words)


def count_words(queries: int, matches: list[Match], step: int) -> str:
    """Say how many queries there are, how many are drawn and how those were answered."""
    outcomes = [match.outcome for match in matches]
    words = f"{queries:,} queries"
    if step > 1:
        words += f", one in {step} drawn"
    words += f": {outcomes.count('right')} matched right, {outcomes.count('wrong')} wrong"
    if "unanswered" in outcomes:
        words += f", {outcomes.count('unanswered')} unanswered"
    return words
