from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.nodes.localization.odom_correction import OdomCorrection, map_to_odom
from selavpr_ros.planar_pose import PlanarPose

SECOND = 1_000_000_000
coordinates = st.floats(-1e4, 1e4)
poses = st.builds(PlanarPose, coordinates, coordinates, coordinates, st.floats(-10, 10))


def compose(a: PlanarPose, b: PlanarPose) -> PlanarPose:
    """a * b: the pose b, given in the frame that a places, by its definition."""
    return PlanarPose(
        a.x + math.cos(a.yaw) * b.x - math.sin(a.yaw) * b.y,
        a.y + math.sin(a.yaw) * b.x + math.cos(a.yaw) * b.y,
        a.z + b.z,
        a.yaw + b.yaw,
    )


@given(poses, poses)
def test_the_correction_carries_the_odometry_pose_to_the_map_pose(
    in_map: PlanarPose, in_odom: PlanarPose
) -> None:
    back = compose(map_to_odom(in_map, in_odom), in_odom)
    assert back[:3] == pytest.approx(in_map[:3], abs=1e-6)
    assert math.cos(back.yaw - in_map.yaw) == pytest.approx(1.0)


def correction_with_odometry(*stamps: int) -> OdomCorrection:
    correction = OdomCorrection()
    for stamp in stamps:
        correction.add_odometry(stamp, PlanarPose(stamp / SECOND, 0.0, 0.0, 0.0))
    return correction


def test_a_pose_waits_for_the_odometry_after_its_image() -> None:
    correction = correction_with_odometry(1 * SECOND)
    correction.add_pose(SECOND + SECOND // 2, PlanarPose(11.5, 2.0, 0.0, 0.0))
    assert correction.current is None
    assert correction.problem == "no odometry after the image's stamp yet"
    correction.add_odometry(2 * SECOND, PlanarPose(2.0, 0.0, 0.0, 0.0))
    assert correction.current == pytest.approx((10.0, 2.0, 0.0, 0.0))
    assert correction.problem is None


def test_a_later_pose_replaces_the_correction_when_its_odometry_is_there() -> None:
    correction = correction_with_odometry(1 * SECOND, 2 * SECOND)
    correction.add_pose(2 * SECOND, PlanarPose(3.0, 0.0, 0.0, 0.0))
    first = correction.current
    correction.add_pose(3 * SECOND, PlanarPose(5.0, 0.0, 0.0, 0.0))
    assert correction.current == first
    assert correction.problem is None
    correction.add_odometry(3 * SECOND, PlanarPose(3.0, 0.0, 0.0, 0.0))
    assert correction.current == pytest.approx((2.0, 0.0, 0.0, 0.0))


def test_says_why_there_is_no_correction() -> None:
    correction = OdomCorrection()
    assert correction.problem == "no odometry yet"
    correction.add_odometry(10 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    assert correction.problem == "no pose yet"
    correction.add_pose(5 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    assert correction.problem == "no odometry around the image's stamp"
    correction.add_pose(10 * SECOND, PlanarPose(0.0, 0.0, 0.0, math.nan))
    assert correction.problem == "the matched place has no heading"
    assert correction.current is None


def test_odometry_that_begins_again_forgets_the_correction() -> None:
    correction = correction_with_odometry(5 * SECOND, 6 * SECOND)
    correction.add_pose(5 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    assert correction.current is not None
    correction.add_odometry(1 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    assert correction.current is None
    assert correction.problem == "no pose yet"


def test_a_jump_of_odometry_forgets_the_correction() -> None:
    correction = correction_with_odometry(5 * SECOND, 6 * SECOND)
    correction.add_pose(5 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    assert correction.current is not None
    assert correction.add_odometry(7 * SECOND, PlanarPose(900.0, 0.0, 0.0, 0.0))
    assert (correction.current, correction.problem) == (None, "no pose yet")
    # A pose of before says nothing of the frame that odometry is in now.
    correction.add_pose(6 * SECOND, PlanarPose(1.0, 0.0, 0.0, 0.0))
    assert correction.current is None
    correction.add_pose(7 * SECOND, PlanarPose(2.0, 0.0, 0.0, 0.0))
    assert correction.current == pytest.approx((-898.0, 0.0, 0.0, 0.0))


def test_reset_and_forget() -> None:
    correction = correction_with_odometry(5 * SECOND, 6 * SECOND)
    correction.add_pose(5 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    correction.forget()
    assert (correction.current, correction.problem) == (None, "no pose yet")
    correction.add_pose(6 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    assert correction.current is not None
    correction.reset()
    assert (correction.current, correction.problem) == (None, "no odometry yet")
