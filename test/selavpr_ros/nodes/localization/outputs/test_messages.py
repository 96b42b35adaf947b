from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from selavpr_core.geodesy import Datum
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate, estimate_pose

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from builtin_interfaces.msg import Time
from visualization_msgs.msg import Marker

from selavpr_core.retrieval.localizer import Match
from selavpr_ros.nodes.localization.outputs import messages
from selavpr_ros.nodes.localization.recognizer import Recognition

pytestmark = pytest.mark.ros

STAMP = Time(sec=12, nanosec=34)


def recognition(
    similarities: tuple[float, ...] = (0.9, 0.5, 0.4), yaw: float = 0.5, hamming: int | None = 3
) -> Recognition:
    count = len(similarities)
    matches = [
        Match(10 + i, s, hamming, i, None if hamming is None else i)
        for i, s in enumerate(similarities)
    ]
    positions = np.arange(3.0 * count).reshape(count, 3)
    headings = np.full(count, yaw)
    estimate = estimate_pose(np.array(similarities), positions, headings, 0.5, 0.1, 4.0)
    return Recognition(matches, positions, headings, 0.1, estimate, {})


def test_covariance_is_row_major_as_amcl_reads_it() -> None:
    covariance = np.arange(36.0).reshape(6, 6)
    estimate = PoseEstimate(np.array([1.0, 2.0, 3.0]), 0.0, covariance, 1.0)
    message = messages.pose_with_covariance(STAMP, "map", estimate)
    for row in range(6):
        for column in range(6):
            assert message.pose.covariance[6 * row + column] == covariance[row, column]


def test_fix_has_its_covariance_in_true_east_and_north() -> None:
    # Far from the central meridian: true north is 2.2 degrees off the grid's.
    datum = Datum.at(48.0, 11.9, 500.0)
    angle = datum.convergence(48.0, 11.9)
    assert abs(angle) > math.radians(1)
    # A metre's uncertainty to grid north, none to grid east.
    covariance = np.zeros((6, 6))
    covariance[1, 1] = 1.0
    estimate = PoseEstimate(np.zeros(3), 0.0, covariance, 1.0)
    fix = messages.nav_sat_fix(STAMP, "base_link", estimate, datum)
    assert (fix.latitude, fix.longitude, fix.altitude) == pytest.approx((48.0, 11.9, 500.0))
    # Grid north in true east and north: a step along it and back through WGS84.
    metre = 1.0 / 111_200.0
    true_north = datum.to_map(48.0 + metre, 11.9)[:2]
    true_north = true_north / np.linalg.norm(true_north)
    true_east = np.array([true_north[1], -true_north[0]])
    grid_north = np.array([0.0, 1.0])
    direction = np.array([grid_north @ true_east, grid_north @ true_north, 0.0])
    expected = np.outer(direction, direction)
    np.testing.assert_allclose(np.array(fix.position_covariance).reshape(3, 3), expected, atol=1e-4)


def test_candidates_are_the_best_few() -> None:
    assert len(messages.candidate_poses(STAMP, "map", recognition(), 2).poses) == 2
    cloud = messages.candidate_cloud(STAMP, "map", recognition(), 5)
    assert (cloud.height, cloud.width, cloud.point_step) == (1, 3, 32)
    assert [(f.name, f.offset) for f in cloud.fields] == [
        ("x", 0),
        ("y", 4),
        ("z", 8),
        ("yaw", 12),
        ("score", 16),
        ("hamming", 20),
        ("rank", 24),
        ("place_id", 28),
    ]


def test_without_codes_there_is_no_hamming_distance() -> None:
    cloud = messages.candidate_cloud(STAMP, "map", recognition(hamming=None), 5)
    rows = np.frombuffer(bytes(cloud.data), messages.CANDIDATE_FIELDS)
    assert rows["hamming"].tolist() == [-1, -1, -1]


def test_markers_when_found_and_when_not() -> None:
    # The filter's pose need not be that of the best candidate.
    pose = replace(recognition().estimate, position=np.array([7.0, 8.0, 9.0]))
    found = messages.markers(STAMP, "map", recognition(), 2, pose, "0.90")
    by_name = {marker.ns: marker for marker in found.markers}
    assert len(by_name["candidates"].points) == len(by_name["candidates"].colors) == 2
    assert {marker.action for marker in found.markers} == {Marker.ADD}
    assert by_name["verdict"].text == "0.90"
    # The disc is two sigma to each side along both axes.
    variances = np.linalg.eigvalsh(pose.covariance[:2, :2])
    assert by_name["sigma"].scale.x == pytest.approx(4 * math.sqrt(variances[0]))
    assert by_name["sigma"].scale.y == pytest.approx(4 * math.sqrt(variances[1]))
    for name, height in (("sigma", 9.0), ("pose", 9.0), ("verdict", 11.0)):
        at = by_name[name].pose.position
        assert (at.x, at.y, at.z) == (7.0, 8.0, height)

    lost = messages.markers(STAMP, "map", recognition(), 2, None, "below threshold")
    actions = {marker.ns: marker.action for marker in lost.markers}
    assert actions["sigma"] == actions["pose"] == Marker.DELETE
    assert actions["candidates"] == actions["verdict"] == Marker.ADD
    (text,) = (marker.pose.position for marker in lost.markers if marker.ns == "verdict")
    assert [text.x, text.y, text.z - 2.0] == recognition().positions[0].tolist()


def test_no_arrow_where_the_heading_is_unknown() -> None:
    unknown = recognition(yaw=math.nan)
    array = messages.markers(STAMP, "map", unknown, 2, unknown.estimate, "")
    actions = {marker.ns: marker.action for marker in array.markers}
    assert (actions["pose"], actions["sigma"]) == (Marker.DELETE, Marker.ADD)


@pytest.mark.parametrize("similarities", [(1.0,), (0.5, 0.5, 0.5)])
def test_markers_of_equal_candidates_have_colours(similarities: tuple[float, ...]) -> None:
    array = messages.markers(STAMP, "map", recognition(similarities), 9, None, "")
    for colour in array.markers[0].colors:
        assert all(0.0 <= part <= 1.0 for part in (colour.r, colour.g, colour.b, colour.a))
