from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.place_map.spacing import Spacing


def nearest(positions: np.ndarray, row: int) -> float:
    best = math.inf
    for other in positions:
        distance = float(np.linalg.norm(other - positions[row]))
        if 0 < distance < best:
            best = distance
    return math.nan if best == math.inf else best


COORDINATE = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e4, 1e4, width=32))


@given(st.lists(st.tuples(COORDINATE, COORDINATE, COORDINATE), min_size=1, max_size=40))
def test_against_plain_loops(positions) -> None:
    array = np.array(positions)
    spacing = Spacing(array)
    for row in range(len(array)):
        assert spacing.nearest(row) == pytest.approx(nearest(array, row), rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("axis", [0, 1])
def test_on_long_tracks(axis: int) -> None:
    # Straight along an axis, and back a lane further: most of the track is beside most of it.
    rng = np.random.default_rng(axis)
    out = np.arange(0, 1500, 2.0) + rng.uniform(-0.5, 0.5, 750)
    track = np.zeros((1500, 3))
    track[:, axis] = np.concatenate([out, out[::-1] + 0.3])
    track[750:, 1 - axis] = 3.5
    spacing = Spacing(track)
    for row in range(0, 1500, 97):
        assert spacing.nearest(row) == pytest.approx(nearest(track, row), rel=1e-12)
