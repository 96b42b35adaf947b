from __future__ import annotations

import json

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from selavpr_ros.loop_closure import Closure, Drive, Waypoint
from selavpr_ros.nodes.loop_closure import messages as loop_messages
from selavpr_ros.planar_pose import PlanarPose

K = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
P = [400.0, 0.0, 321.0, 7.0, 0.0, 410.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0]
HERE = PlanarPose(1.0, 2.0, 0.5, 0.0)


def info(model: str = "plumb_bob", d: tuple[float, ...] = (0.1, 0.0, 0.0, 0.0, 0.0)) -> CameraInfo:
    return CameraInfo(width=640, height=480, distortion_model=model, d=list(d), k=K, p=P)


def closure(segment: str | None = None, pose: PlanarPose | None = HERE) -> Closure:
    match = Waypoint(Drive(segment, 0), 3, 7 * 10**9 + 5, 0.0, HERE)
    query = Waypoint(Drive(None, 1), 41, 90 * 10**9, 0.0, pose)
    return Closure(match, query, 0.75, 12, {"geometry": {"inliers": 40, "direction": None}})


def test_a_raw_image_has_the_matrix_k_and_a_distortion() -> None:
    camera = loop_messages.camera_model(info(), rectified=False)
    assert (camera.width, camera.height) == (640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500.0, 510.0, 320.0, 240.0)
    assert camera.distortion == (0.1, 0.0, 0.0, 0.0, 0.0)


def test_a_rectified_image_has_the_matrix_p_alone() -> None:
    camera = loop_messages.camera_model(info(), rectified=True)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (400.0, 410.0, 321.0, 241.0)
    assert camera.distortion == ()


@pytest.mark.parametrize(("rectified", "centre"), [(False, (310.0, 210.0)), (True, (311.0, 211.0))])
def test_the_camera_of_a_part_of_the_image(rectified: bool, centre: tuple[float, float]) -> None:
    part = info()
    part.roi = RegionOfInterest(x_offset=10, y_offset=30, width=600, height=400)
    camera = loop_messages.camera_model(part, rectified)
    assert (camera.width, camera.height) == (600, 400)
    assert (camera.cx, camera.cy) == centre


def test_the_names_that_drivers_use() -> None:
    fisheye = loop_messages.camera_model(info("fisheye", (0.1, 0.0, 0.0, 0.0)), rectified=False)
    assert fisheye.model == "equidistant"
    assert loop_messages.camera_model(info("", ()), rectified=False).model == "plumb_bob"
    # Coefficients that are all zero say nothing, however many there are.
    assert loop_messages.camera_model(info("", (0.0,) * 7), rectified=False).distortion == ()


def test_cameras_that_nobody_can_compute_with() -> None:
    with pytest.raises(ValueError, match="distortion model 'omni'"):
        loop_messages.camera_model(info("omni"), rectified=False)
    with pytest.raises(ValueError, match="not calibrated"):
        loop_messages.camera_model(CameraInfo(width=640, height=480), rectified=False)


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
