from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.evaluation import positives_within, recall_at

COORDINATE = st.one_of(st.integers(-6, 6).map(float), st.floats(-20, 20), st.just(math.nan))
POSITIONS = st.lists(st.tuples(COORDINATE, COORDINATE, st.floats(-100, 100)), max_size=12)


@given(POSITIONS, POSITIONS, st.sampled_from([0.0, 1.0, 5.0, 12.5]))
def test_positives_are_the_places_within_the_radius(queries, places, radius) -> None:
    found = positives_within(np.reshape(queries, (-1, 3)), np.reshape(places, (-1, 3)), radius)
    expected = [
        [
            n
            for n, place in enumerate(places)
            if np.hypot(place[0] - q[0], place[1] - q[1]) <= radius
        ]
        for q in queries
    ]
    assert [numbers.tolist() for numbers in found] == expected


def test_the_radius_is_inclusive_whatever_the_rounding() -> None:
    # 0.3 - 0.1 rounds to less than 0.2, so a slice cut exactly at the radius would lose places.
    places = np.array([[500000.1, 0.0], [500000.3, 0.0]])
    (found,) = positives_within([[500000.2, 0.0]], places, float(places[1, 0] - 500000.2))
    assert 1 in found


RANKINGS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), max_size=8, unique=True),
        st.lists(st.integers(0, 9), max_size=4, unique=True),
    ),
    max_size=8,
)


@given(RANKINGS, st.booleans())
def test_recall_against_plain_loops(cases, count_without_positives: bool) -> None:
    ns = [1, 2, 5, 10]
    recall = recall_at([r for r, _ in cases], [p for _, p in cases], ns, count_without_positives)
    for n in ns:
        hits = counted = 0
        for ranking, right in cases:
            if not right and not count_without_positives:
                continue
            counted += 1
            for place in ranking[:n]:
                if place in right:
                    hits += 1
                    break
        assert recall[n] == hits / counted if counted else math.isnan(recall[n])


def test_the_two_habits_differ_by_queries_without_positives() -> None:
    rankings, positives = [[3, 1], [2], [5]], [[1], [2], []]
    assert recall_at(rankings, positives, [1, 2], False) == {1: 0.5, 2: 1.0}
    assert recall_at(rankings, positives, [1, 2], True) == {1: 1 / 3, 2: 2 / 3}


def test_each_ranking_needs_its_positives() -> None:
    with pytest.raises(ValueError, match="argument"):
        recall_at([[1]], [], [1], True)
