from __future__ import annotations

import json

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from selavpr_ros.loop_closure import Closure, Drive, Waypoint
from selavpr_ros.nodes.loop_closure import messages as loop_messages
from selavpr_ros.planar_pose import PlanarPose

HERE = PlanarPose(1.0, 2.0, 0.5, 0.0)


def closure(segment: str | None = None, pose: PlanarPose | None = HERE) -> Closure:
    match = Waypoint(Drive(segment, 0), 3, 7 * 10**9 + 5, 0.0, HERE)
    query = Waypoint(Drive(None, 1), 41, 90 * 10**9, 0.0, pose)
    return Closure(match, query, 0.75, 12, {"geometry": {"inliers": 40, "direction": None}})


def test_a_closure_is_a_path_of_two_poses_with_their_stamps_and_frames() -> None:
    path = loop_messages.closure_path(closure(), "wheels", "map")
    match, query = path.poses
    assert (match.header.stamp.sec, match.header.stamp.nanosec) == (7, 5)
    assert query.header.stamp.sec == 90
    assert match.header.frame_id == query.header.frame_id == "wheels"
    assert path.header == query.header
    assert (match.pose.position.x, match.pose.position.y, match.pose.position.z) == HERE[:3]
    into_map = loop_messages.closure_path(closure("lap"), "wheels", "world")
    assert [pose.header.frame_id for pose in into_map.poses] == ["world", "wheels"]


def test_a_pose_that_nobody_knows_is_in_no_frame() -> None:
    query = loop_messages.closure_path(closure(pose=None), "", "map").poses[1]
    assert query.header.frame_id == ""
    assert (query.header.stamp.sec, query.pose.orientation.w) == (90, 1.0)


def test_the_report_is_json() -> None:
    told = json.loads(loop_messages.closure_report(closure("lap")).data)
    assert told == closure("lap").to_json()
    assert told["match"]["segment"] == "lap"


def test_each_closure_has_a_line_of_its_own() -> None:
    path = loop_messages.closure_path(closure(), "wheels", "map")
    (line,) = loop_messages.closure_markers(4, path.poses[1], HERE, None).markers
    assert (line.id, line.header) == (4, path.header)
    assert [(p.x, p.y, p.z) for p in line.points] == [HERE[:3], HERE[:3]]
    (other,) = loop_messages.closure_markers(5, path.poses[1], HERE, "lap").markers
    assert other.ns != line.ns
    assert other.color != line.color
