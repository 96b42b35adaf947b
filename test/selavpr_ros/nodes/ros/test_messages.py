from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_ros.nodes.ros.status import Level, Status
from selavpr_ros.planar_pose import PlanarPose

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from selavpr_ros.nodes.ros import messages

pytestmark = pytest.mark.ros

STAMP = Time(sec=12, nanosec=34)


def test_stamps_go_both_ways() -> None:
    assert messages.stamp_nanoseconds(STAMP) == 12_000_000_034
    assert messages.time_of(12_000_000_034) == STAMP


def test_type_names_are_those_of_the_graph() -> None:
    assert messages.type_name(CompressedImage) == "sensor_msgs/msg/CompressedImage"


def test_image_of_pixels() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    header = Header(stamp=STAMP, frame_id="camera")
    message = messages.rgb_image(header, pixels)
    assert message.header == header
    assert (message.height, message.width, message.step, message.encoding) == (2, 4, 12, "rgb8")
    assert bytes(message.data) == pixels.tobytes()


@pytest.mark.parametrize("level", Level)
def test_diagnostics(level: Level) -> None:
    status = Status(level, "kind", "a reason", {"state": "active"})
    (entry,) = messages.diagnostics(STAMP, "node: localization", status).status
    assert (entry.level, entry.name) == (bytes([level]), "node: localization")
    assert entry.message == "a reason"
    assert [(value.key, value.value) for value in entry.values] == [("state", "active")]


def test_transform() -> None:
    message = messages.transform(STAMP, "map", "odom", PlanarPose(1.0, 2.0, 3.0, math.pi / 2))
    assert (message.header.frame_id, message.child_frame_id) == ("map", "odom")
    assert message.transform.translation.y == 2.0
    assert message.transform.rotation.z == pytest.approx(math.sqrt(0.5))


def test_planar_pose_of_a_message() -> None:
    pose = Pose()
    pose.position.x = 4.0
    pose.orientation.z, pose.orientation.w = math.sin(0.3), math.cos(0.3)
    assert messages.planar_pose(pose) == pytest.approx((4.0, 0.0, 0.0, 0.6))


def test_planar_pose_of_a_quaternion_that_is_nearly_a_unit() -> None:
    pose = Pose()
    pose.orientation.z, pose.orientation.w = 1.005 * math.sin(0.3), 1.005 * math.cos(0.3)
    assert messages.planar_pose(pose).yaw == pytest.approx(0.6)
    pose.orientation.z, pose.orientation.w = 1.005 * math.sin(1.5), 1.005 * math.cos(1.5)
    assert messages.planar_pose(pose).yaw == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("field", "changes", "problem"),
    [
        ("position", {"y": math.nan}, "not finite"),
        ("position", {"z": math.inf}, "not finite"),
        ("orientation", {"x": math.nan}, "not finite"),
        ("orientation", {"w": 0.0}, "norm 0.00 instead of 1"),
        ("orientation", {"w": 0.98}, "norm 0.98 instead of 1"),
        ("orientation", {"z": 1.0}, "norm 1.41 instead of 1"),
    ],
)
def test_no_planar_pose_of_what_is_no_pose(
    field: str, changes: dict[str, float], problem: str
) -> None:
    pose = Pose()
    for name, value in changes.items():
        setattr(getattr(pose, field), name, value)
    with pytest.raises(ValueError, match=problem):
        messages.planar_pose(pose)
