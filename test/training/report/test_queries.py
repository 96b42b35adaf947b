from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.training.report.sample import FIRST_RIGHT, QUERIES
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult
from training.report.queries import (
    failure,
    first_right_ranks,
    latest_right,
    most_confidently_wrong,
    right_answers,
)

ALL = np.ones(QUERIES, bool)


@pytest.fixture
def mode(result: EvaluationResult) -> ModeResult:
    return result.modes["two-stage"]


@given(st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=1, max_size=6))
def test_first_ranks_are_those_of_a_plain_loop(rankings: list[list[int]]) -> None:
    positives = [np.array([query % 3, 4]) for query in range(len(rankings))]
    expected = []
    for ranking, right in zip(rankings, positives, strict=True):
        hits = [rank for rank, place in enumerate(ranking, 1) if place in right.tolist()]
        expected.append(min(hits, default=math.inf))
    assert first_right_ranks(np.array(rankings), positives).tolist() == expected


def test_the_surest_mistakes_come_first(mode: ModeResult, evaluation_set: EvaluationSet) -> None:
    scores = mode.scores.copy()
    scores[[3, 10], 0] = 0.99, 0.97
    sure = replace(mode, scores=scores)
    found = most_confidently_wrong(sure, evaluation_set.positives, ALL, 4)
    assert found == [3, 10, 2, 5]


def test_queries_that_do_not_count_are_no_mistakes(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    counted = ALL.copy()
    counted[[2, 5]] = False
    assert most_confidently_wrong(mode, evaluation_set.positives, counted, 9) == [3, 8, 10]
    assert latest_right(mode, evaluation_set.positives, counted, 9) == [10, 8, 3]


def test_the_latest_right_places_come_first_and_the_least_similar_of_equals(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    # 5 and 10 are beyond the ranking, 8 at rank 5, 3 at 3, 2 at 2.
    assert latest_right(mode, evaluation_set.positives, ALL, 9) == [10, 5, 8, 3, 2]
    assert latest_right(mode, evaluation_set.positives, ALL, 2, without=[10]) == [5, 8]


def test_right_answers_are_spread_over_all_queries(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    right = [query for query, first in enumerate(FIRST_RIGHT) if first == 1]
    found = right_answers(mode, evaluation_set.positives, 3)
    assert len(found) == 3
    assert set(found) <= set(right)
    assert found[0] < right[len(right) // 2] <= found[1] < found[2]
    assert right_answers(mode, evaluation_set.positives, 50) == right
    assert right_answers(mode, [np.empty(0, np.int64)] * QUERIES, 3) == []


def test_the_right_place_beyond_the_ranking_is_the_nearest(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    found = failure(mode, evaluation_set, 5)
    assert found.first_right is None
    assert found.right_place is not None
    # Query 5 stands 1 m beyond place 10 and 4 m before place 11.
    assert found.right_place.number == 10
    assert found.right_place.rank is None
    assert found.right_place.similarity is None
    assert found.right_place.metres == pytest.approx(math.hypot(1, 2))
    assert [match.number for match in found.matches] == [12, 13, 14]


def test_an_unknown_position_gives_no_distance(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    assert evaluation_set.query_positions is not None
    positions = evaluation_set.query_positions.copy()
    positions[2] = math.nan
    found = failure(mode, replace(evaluation_set, query_positions=positions), 2)
    assert {match.metres for match in found.matches} == {None}
    assert found.right_place is not None
    assert found.right_place.rank == 2
