from __future__ import annotations

import math

import pytest

from selavpr_ros.planar_pose import PlanarPose

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from selavpr_ros.nodes.camera.odometry_input import OdometryInput
from test.selavpr_ros.nodes.live_messages import odometry_message

pytestmark = pytest.mark.ros


class Listener:
    """What a node does with odometry: it accepts one frame."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, PlanarPose]] = []
        self.input = OdometryInput(self.check, lambda stamp, pose: self.taken.append((stamp, pose)))

    def check(self, parent: str, child: str) -> None:
        if (parent, child) != ("odom", "base_link"):
            raise ValueError(f"it is of {child} in {parent}")


def test_stamp_and_pose_are_handed_on() -> None:
    listener = Listener()
    message = odometry_message(12, 3.0, 0.5, y=-1.0)
    message.header.stamp.nanosec = 34
    listener.input.hear(message)
    ((stamp, pose),) = listener.taken
    assert stamp == 12_000_000_034
    assert pose == pytest.approx((3.0, -1.0, 0.0, 0.5))
    assert listener.input.problem is None


def test_what_cannot_be_used_is_named_until_something_can() -> None:
    listener = Listener()
    listener.input.hear(odometry_message(1, 0.0, 0.0, frame="wheels"))
    assert listener.input.problem == "odometry cannot be used: it is of base_link in wheels"
    listener.input.hear(odometry_message(2, math.nan, 0.0))
    assert listener.input.problem is not None
    assert "not finite" in listener.input.problem
    assert listener.taken == []
    listener.input.hear(odometry_message(3, 0.0, 0.0))
    assert listener.input.problem is None
    assert [stamp for stamp, _ in listener.taken] == [3 * 10**9]


def test_the_frames_of_what_is_no_pose_are_not_asked_about() -> None:
    """A node that keeps the first frame must not keep that of a message it cannot use."""
    asked: list[str] = []
    odometry = OdometryInput(lambda parent, child: asked.append(parent), lambda stamp, pose: None)
    broken = odometry_message(1, 0.0, 0.0)
    broken.pose.pose.orientation.w = 0.0
    odometry.hear(broken)
    assert asked == []
