from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.retrieval import Match, margin

POSITIONS = np.array([[0.0, 0, 0], [25, 0, 0], [25.01, 0, 90], [0, 24, 900], [400, 300, 0]])


def ranked(*pairs: tuple[int, float]) -> list[Match]:
    return [Match(place, similar, None, rank, None) for rank, (place, similar) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(0, 0.9), (1, 0.8), (2, 0.7), (4, 0.6)], 0.2),  # 25 m are not elsewhere, 25.01 m are
        ([(0, 0.9), (4, 0.9)], 0.0),
        ([(0, 0.9), (3, 0.8)], 1.9),  # heights do not count; no rival
        ([(2, 0.25)], 1.25),
        ([(2, -1.0)], 0.0),
    ],
)
def test_the_best_elsewhere_is_the_rival(pairs, expected: float) -> None:
    assert margin(ranked(*pairs), POSITIONS) == pytest.approx(expected)
    assert margin(ranked(*pairs), POSITIONS[:, :2]) == pytest.approx(expected)


def test_no_match_no_margin() -> None:
    assert math.isnan(margin([], POSITIONS))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 1)), min_size=1, unique_by=lambda m: m[0])
)
def test_it_lies_between_0_and_2(pairs) -> None:
    best_first = sorted(pairs, key=lambda pair: -pair[1])
    value = margin(ranked(*best_first), POSITIONS)
    assert 0 <= value <= 2
    here = POSITIONS[best_first[0][0], :2]
    rivals = [s for place, s in pairs if math.dist(POSITIONS[place, :2], here) > 25]
    assert value == pytest.approx(best_first[0][1] - max(rivals, default=-1.0))
