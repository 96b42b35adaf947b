from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.mapping.keyframes import KeyframeSelector

nan = math.nan


def kept(selector: KeyframeSelector, poses: Sequence[tuple[float, float, float]]) -> list[int]:
    """Indices of the kept ones of (x, y, heading)."""
    found = []
    for i, (x, y, heading) in enumerate(poses):
        position = np.array([x, y, 0.0])
        if selector.wants(position, heading):
            selector.keep(position, heading)
            found.append(i)
    return found


@given(
    st.lists(
        st.tuples(
            st.floats(-20, 20), st.floats(-20, 20), st.one_of(st.just(nan), st.floats(-3.1, 3.1))
        ),
        max_size=30,
    ),
    st.floats(0, 10),
    st.floats(0.01, 3.1),
)
def test_agrees_with_plain_steps(
    poses: list[tuple[float, float, float]], distance: float, turn: float
) -> None:
    expected: list[int] = []
    for i, (x, y, heading) in enumerate(poses):
        if expected:
            x0, y0, heading0 = poses[expected[-1]]
            moved = math.hypot(x - x0, y - y0)
            turned = abs(math.remainder(heading - heading0, 2 * math.pi))
            if any(abs(a - b) < 1e-9 for a, b in ((moved, distance), (turned, turn))):
                return  # too close to call with rounding
            if moved < distance and not turned >= turn:
                continue
        expected.append(i)
    assert kept(KeyframeSelector(distance, turn), poses) == expected


def test_distance_is_measured_from_the_last_kept_frame() -> None:
    assert kept(KeyframeSelector(2, 1), [(0.5 * i, 0, 0) for i in range(11)]) == [0, 4, 8]


def test_turning_on_the_spot_gives_keyframes_also_across_the_seam() -> None:
    headings = [3.0, 3.1, -3.1, -3.0, -2.9]
    selector = KeyframeSelector(2, math.radians(15))
    assert kept(selector, [(0, 0, h) for h in headings]) == [0, 3]


def test_unknown_headings_are_no_turn() -> None:
    poses = [(0, 0, 0.0), (0, 0, nan), (0, 0, 3.0), (5, 0, nan), (5, 0, 1.0)]
    assert kept(KeyframeSelector(2, 0.3), poses) == [0, 2, 3]


def test_zero_distance_keeps_every_frame() -> None:
    assert kept(KeyframeSelector(0, 1), [(1, 1, nan)] * 4) == [0, 1, 2, 3]


def test_a_frame_that_is_not_kept_after_all_changes_nothing() -> None:
    """A corrupt keyframe must not put off the next good one."""
    selector = KeyframeSelector(2, 1)
    selector.keep(np.zeros(3), 0)
    there = np.array([2.5, 0, 0])
    assert selector.wants(there, 0)
    assert selector.wants(there, 0)
    selector.keep(there, 0)
    assert not selector.wants(there, 0)


def test_height_alone_is_no_movement() -> None:
    """GPS altitude wanders by metres while the robot stands."""
    selector = KeyframeSelector(2, 1)
    selector.keep(np.zeros(3), nan)
    assert not selector.wants(np.array([0, 0, 9.0]), nan)


@pytest.mark.parametrize("distance", [1e-9, 2.0])
def test_the_first_frame_is_always_kept(distance: float) -> None:
    assert KeyframeSelector(distance, math.pi).wants(np.zeros(3), nan)
