from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.streets import Camera

angles = st.floats(-math.pi, math.pi)


def test_what_is_ahead_is_in_the_middle():
    camera = Camera(3.0, -2.0, 1.6, math.radians(30))
    ahead = [3.0 + 10 * math.cos(math.radians(30)), -2.0 + 10 * math.sin(math.radians(30)), 1.6]
    assert camera.project(ahead) == pytest.approx([319.5, 239.5])


@pytest.mark.parametrize(
    ("point", "column", "row"),
    [((10, 1, 0), -1, 0), ((10, -1, 0), 1, 0), ((10, 0, 1), 0, -1), ((10, 0, -1), 0, 1)],
)
def test_left_is_left_and_up_is_up(point, column, row):
    camera = Camera(0.0, 0.0, 0.0, 0.0)
    offset = camera.project(point) - [319.5, 239.5]
    assert np.sign(np.round(offset, 9)).tolist() == [column, row]


def test_field_of_view_spans_the_width():
    camera = Camera(0.0, 0.0, 0.0, 0.0, field_of_view=math.radians(90), width=200, height=100)
    left, _ = camera.project([10.0, 10.0, 0.0])
    assert left == pytest.approx(-0.5)  # the left edge of the first pixel


def test_looking_up_moves_things_down_and_rolling_clockwise_turns_them_the_other_way():
    level, up = Camera(0, 0, 0, 0.0), Camera(0, 0, 0, 0.0, pitch=0.1)
    assert up.project([10, 0, 0])[1] > level.project([10, 0, 0])[1]
    rolled = Camera(0, 0, 0, 0.0, roll=0.1)
    # What is on the right rises in a picture that is turned counter-clockwise.
    assert rolled.project([10, -2, 0])[1] < level.project([10, -2, 0])[1]


def test_what_is_behind_has_no_pixel():
    assert np.isnan(Camera(0, 0, 0, 0.0).project([-5, 0, 0])).all()


@given(yaw=angles, pitch=st.floats(-1.2, 1.2), roll=angles)
def test_rotation_is_a_rotation(yaw, pitch, roll):
    rotation = Camera(0, 0, 0, yaw, pitch, roll).rotation
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@given(
    x=st.floats(-50, 50), y=st.floats(-50, 50), z=st.floats(0, 20), yaw=angles,
    pitch=st.floats(-1.2, 1.2), roll=angles,
)  # fmt: skip
def test_projection_equals_plain_trigonometry(x, y, z, yaw, pitch, roll):
    camera = Camera(1.0, 2.0, 1.5, yaw, pitch, roll)
    # Turn the world: first against the yaw, then the pitch, then the roll.
    east, north, up = x - 1.0, y - 2.0, z - 1.5
    ahead = east * math.cos(yaw) + north * math.sin(yaw)
    left = -east * math.sin(yaw) + north * math.cos(yaw)
    depth = ahead * math.cos(pitch) + up * math.sin(pitch)
    above = -ahead * math.sin(pitch) + up * math.cos(pitch)
    right, down = -left, -above
    across = right * math.cos(roll) + down * math.sin(roll)
    below = -right * math.sin(roll) + down * math.cos(roll)
    pixel = camera.project([x, y, z])
    if depth <= 1e-6:
        return
    expected = [319.5 + camera.focal * across / depth, 239.5 + camera.focal * below / depth]
    assert pixel == pytest.approx(expected, rel=1e-6, abs=1e-6)
