from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.planar_pose import pose_problem, quaternion_yaw, yaw_quaternion


@given(st.floats(-math.pi, math.pi), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_yaw_of_a_tilted_robot(yaw: float, pitch: float, roll: float) -> None:
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    # The product of the rotations about z, y, x, written out.
    x = cy * cp * sr - sy * sp * cr
    y = cy * sp * cr + sy * cp * sr
    z = sy * cp * cr - cy * sp * sr
    w = cy * cp * cr + sy * sp * sr
    assert math.cos(quaternion_yaw(x, y, z, w) - yaw) == pytest.approx(1.0)


@given(st.floats(-50, 50))
def test_quaternion_of_a_yaw(yaw: float) -> None:
    x, y, z, w = yaw_quaternion(yaw)
    assert (x, y) == (0.0, 0.0)
    assert math.hypot(z, w) == pytest.approx(1.0, abs=1e-9)
    assert math.cos(2 * math.atan2(z, w) - yaw) == pytest.approx(1.0)


def test_quaternion_of_a_yaw_that_nobody_knows_is_identity() -> None:
    assert yaw_quaternion(math.nan) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("position", "quaternion", "problem"),
    [
        ((1.0, 2.0, 3.0), (0.0, 0.0, 0.6, 0.8), None),
        ((1.0, 2.0, 3.0), (0.0, 0.0, 0.6, 0.805), None),  # rounded
        ((1.0, math.nan, 3.0), (0.0, 0.0, 0.0, 1.0), "position or orientation is not finite"),
        ((1.0, 2.0, 3.0), (0.0, math.inf, 0.0, 1.0), "position or orientation is not finite"),
        ((1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 0.0), "norm 0.00 instead of 1"),
    ],
)
def test_what_is_no_pose_is_said(
    position: tuple[float, float, float],
    quaternion: tuple[float, float, float, float],
    problem: str | None,
) -> None:
    said = pose_problem(position, quaternion)
    assert (said is None) == (problem is None)
    assert problem is None or problem in str(said)
