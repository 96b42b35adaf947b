from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.place_map.frames import PlanarTransform, wrapped

METRES = st.floats(-1e4, 1e4)
RADIANS = st.floats(-20, 20)


@given(METRES, METRES, METRES, RADIANS, st.tuples(METRES, METRES, METRES), RADIANS)
def test_a_pose_is_turned_then_shifted(x, y, z, yaw, position, heading) -> None:
    transform = PlanarTransform(x, y, z, yaw)
    moved = transform.positions(np.array([position, position]))
    a, b, c = position
    expected = (
        math.cos(yaw) * a - math.sin(yaw) * b + x,
        math.sin(yaw) * a + math.cos(yaw) * b + y,
        c + z,
    )
    for row in moved:
        assert row.tolist() == pytest.approx(expected, abs=1e-8)
    turned = transform.headings(np.array([heading, math.nan]))
    assert turned.dtype == np.float32
    assert math.cos(turned[0] - heading - yaw) == pytest.approx(1, abs=1e-5)
    assert math.isnan(turned[1])


def test_no_places() -> None:
    transform = PlanarTransform(1.0, 2.0, 3.0, 4.0)
    assert transform.positions(np.empty((0, 3))).shape == (0, 3)
    assert transform.headings(np.empty(0, np.float32)).shape == (0,)


@given(st.floats(-1e3, 1e3))
def test_wrapped_angles_are_the_same_directions(angle: float) -> None:
    (result,) = wrapped(np.array([angle]))
    assert -math.pi < result <= math.pi
    assert math.cos(result - angle) == pytest.approx(1)


def test_the_ends_of_the_circle() -> None:
    angles = np.array([math.pi, -math.pi, 3 * math.pi, 0.0])
    assert wrapped(angles).tolist() == [math.pi, math.pi, math.pi, 0.0]
