from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.evaluation import precision_recall

# Few distinct similarities, so that ties are common; NaN for a query without an answer.
SCORE = st.one_of(st.integers(-2, 3).map(lambda n: n / 4), st.floats(-1, 1), st.just(math.nan))
CASES = st.lists(
    st.tuples(st.integers(0, 4), SCORE, st.lists(st.integers(0, 4), max_size=3, unique=True)),
    max_size=12,
)


@given(CASES, st.booleans())
def test_curve_against_plain_loops(cases, count_without_positives: bool) -> None:
    places, scores, positives = ([case[i] for case in cases] for i in range(3))
    curve = precision_recall(places, scores, positives, count_without_positives)

    taking_part = [c for c in cases if c[2] or count_without_positives]
    answerable = sum(bool(c[2]) for c in cases)
    thresholds = sorted({c[1] for c in taking_part if not math.isnan(c[1])}, reverse=True)
    assert curve.thresholds.tolist() == thresholds
    area = last = best = 0.0
    best_threshold = math.nan
    for threshold, precision, recall in zip(
        thresholds, curve.precisions, curve.recalls, strict=True
    ):
        answers = [c for c in taking_part if c[1] >= threshold]
        hits = sum(place in right for place, _, right in answers)
        assert precision == hits / len(answers)
        if answerable:
            assert recall == hits / answerable
            area += precision * (recall - last)
            last = recall
        else:
            assert math.isnan(recall)
        if hits == len(answers):
            best, best_threshold = recall, threshold
    if answerable:
        assert curve.area == pytest.approx(area, abs=1e-12)
        assert curve.recall_at_full_precision == best
    else:
        assert math.isnan(curve.area)
        assert math.isnan(curve.recall_at_full_precision)
    assert curve.threshold_at_full_precision == pytest.approx(best_threshold, nan_ok=True)


def test_a_curve_computed_by_hand() -> None:
    # Right at .9, wrong at .8, right at .7, and one that was never answered.
    curve = precision_recall([0, 5, 2, 3], [0.9, 0.8, 0.7, math.nan], [[0], [1], [2], [3]], False)
    assert curve.precisions == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.recalls == pytest.approx([1 / 4, 1 / 4, 2 / 4])
    assert curve.area == pytest.approx(1 / 4 + 2 / 3 / 4)
    assert curve.recall_at_full_precision == 1 / 4
    assert curve.threshold_at_full_precision == 0.9


def test_equal_similarities_are_answered_together() -> None:
    # One right and one wrong at the same similarity: no threshold gives the right one alone.
    curve = precision_recall([0, 5], [0.5, 0.5], [[0], [1]], False)
    assert curve.precisions.tolist() == [0.5]
    assert curve.recall_at_full_precision == 0


def test_a_query_without_positives_lowers_precision_where_it_counts() -> None:
    places, scores, positives = [0, 1], [0.5, 0.9], [[0], []]
    counted = precision_recall(places, scores, positives, True)
    assert counted.precisions.tolist() == [0, 0.5]
    assert counted.recalls.tolist() == [0, 1]
    assert precision_recall(places, scores, positives, False).precisions.tolist() == [1]


def test_each_match_needs_its_positives() -> None:
    with pytest.raises(ValueError, match="argument"):
        precision_recall([1], [0.5], [], True)


def test_no_query_gives_an_empty_curve() -> None:
    curve = precision_recall(np.empty(0), np.empty(0), [], True)
    assert len(curve.thresholds) == len(curve.precisions) == len(curve.recalls) == 0
    assert math.isnan(curve.area)
