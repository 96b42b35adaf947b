from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from selavpr_ros.mapping.recording import FixLog, OrientationLog, PoseLog
from test.bags_on_disk import Messages

SECOND = 1_000_000_000
make = Messages()


def collected(log: Any, rows: list[tuple[int, Any]]) -> Any:
    for stamp, message in rows:
        log.add(stamp, message)
    return log.result()


def test_fixes_keep_what_the_receiver_says() -> None:
    fixes = collected(FixLog(), [(5 * SECOND, make.fix(0, 55.5, 13.25, 40.5, variance=9.0))])
    assert fixes.stamps.tolist() == [5 * SECOND]
    row = (fixes.latitudes[0], fixes.longitudes[0], fixes.altitudes[0], fixes.sigmas[0])
    assert row == (55.5, 13.25, 40.5, 3.0)


@pytest.mark.parametrize(
    ("latitude", "longitude", "status"),
    [
        (55.5, 13.25, -1),
        (55.5, 13.25, -2),
        (math.nan, 13.25, 0),
        (55.5, math.inf, 0),
        (0.0, 0.0, 0),
        (89.0, 13.25, 0),
        (55.5, 181.0, 0),
    ],
)
def test_fixes_without_a_position_are_kept_as_such(
    latitude: float, longitude: float, status: int
) -> None:
    fixes = collected(FixLog(), [(7, make.fix(0, latitude, longitude, status=status))])
    assert fixes.stamps.tolist() == [7]
    assert np.isnan(fixes.latitudes[0])


def test_positions_on_the_equator_or_the_meridian_are_positions() -> None:
    rows = [(0, make.fix(0, 0.0, 9.0)), (SECOND, make.fix(0, 51.5, 0.0))]
    assert np.isfinite(collected(FixLog(), rows).latitudes).all()


def test_covariance_of_unknown_type_or_zero_is_unknown() -> None:
    rows = [
        (0, make.fix(0, 1.0, 9.0, variance=None)),
        (SECOND, make.fix(0, 1.0, 9.0, variance=0.0)),
        (2 * SECOND, make.fix(0, 1.0, 9.0, variance=math.nan)),
        (3 * SECOND, make.fix(0, 1.0, 9.0, variance=-1.0)),
        (4 * SECOND, make.fix(0, 1.0, 9.0, variance=4.0)),
    ]
    np.testing.assert_array_equal(collected(FixLog(), rows).sigmas, [np.nan] * 4 + [2.0])


def test_the_less_certain_direction_gives_the_sigma() -> None:
    message = make.fix(0, 1.0, 9.0)
    message.position_covariance[0], message.position_covariance[4] = 4.0, 25.0
    assert collected(FixLog(), [(0, message)]).sigmas[0] == 5.0


def test_altitude_that_is_not_finite_is_unknown() -> None:
    fixes = collected(FixLog(), [(0, make.fix(0, 1.0, 9.0, math.inf))])
    assert np.isnan(fixes.altitudes[0])
    assert np.isfinite(fixes.latitudes[0])


def test_stamps_are_sorted_and_of_equal_ones_the_first_stays() -> None:
    rows = [(stamp * SECOND, make.fix(0, float(i), 9.0)) for i, stamp in enumerate([3, 1, 2, 1, 3])]
    fixes = collected(FixLog(), rows)
    assert (fixes.stamps // SECOND).tolist() == [1, 2, 3]
    assert fixes.latitudes.tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize(("rate", "expected"), [(10, 10), (20, 20), (100, 20), (400, 20)])
def test_fast_topics_are_thinned(rate: int, expected: int) -> None:
    seconds = 10
    rows = [
        (i * SECOND // rate, make.odometry(0, 0.1 * i, 0.0, 0.0)) for i in range(rate * seconds)
    ]
    poses = collected(PoseLog(), rows)
    assert 0.95 * expected <= len(poses.stamps) / seconds <= 1.15 * expected


def test_thinning_keeps_faults_among_good_fixes() -> None:
    rows = [
        (i * SECOND // 100, make.fix(0, 1.0, 9.0, status=-1 if i % 2 else 0)) for i in range(1000)
    ]
    fixes = collected(FixLog(), rows)
    unknown = np.isnan(fixes.latitudes)
    assert unknown.sum() > 150
    assert (~unknown).sum() > 150


def test_an_hour_takes_a_few_megabytes() -> None:
    log = PoseLog()
    message = make.odometry(0, 1.0, 2.0, 0.5)
    for i in range(60 * 200):  # a minute at 200 Hz
        log.add(i * SECOND // 200, message)
    poses = log.result()
    minute = sum(array.nbytes for array in poses[:5])
    assert minute * 60 < 4.6e6


def test_poses_of_every_type() -> None:
    covariance = np.diag([4.0, 9.0, 1, 1, 1, 0.25]).reshape(-1)
    pose = make.pose(1.0, 2.0, 0.5, z=3.0)
    rows: list[tuple[int, Any]] = [
        (0, make.odometry(0, 1.0, 2.0, 0.5, variance=0.04, frame="odom")),
        (SECOND, make.pose_stamped(0, 1.0, 2.0, 0.5, frame="odom")),
        (
            2 * SECOND,
            make.make(
                "geometry_msgs/msg/PoseWithCovarianceStamped",
                header=make.header(0, "odom"),
                pose=make.make(
                    "geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=covariance
                ),
            ),
        ),
    ]
    poses = collected(PoseLog(), rows)
    assert poses.frame == "odom"
    np.testing.assert_allclose(poses.positions, [[1, 2, 0], [1, 2, 0], [1, 2, 3]])
    np.testing.assert_allclose(poses.yaws, 0.5)
    np.testing.assert_allclose(poses.sigmas, [0.2, np.nan, 3.0])
    np.testing.assert_allclose(poses.yaw_sigmas, [0.2, np.nan, 0.5])


def test_a_pose_that_is_not_finite_is_kept_as_such() -> None:
    poses = collected(PoseLog(), [(0, make.odometry(0, math.nan, 0.0, 0.0))])
    assert np.isnan(poses.positions).all()


@pytest.mark.parametrize("quaternion", [(0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 1.0)])
def test_an_invalid_quaternion_leaves_the_yaw_unknown(
    quaternion: tuple[float, float, float, float],
) -> None:
    message = make.pose_stamped(0, 1.0, 2.0, 0.0)
    q = message.pose.orientation
    q.x, q.y, q.z, q.w = quaternion
    poses = collected(PoseLog(), [(0, message)])
    assert np.isnan(poses.yaws[0])
    np.testing.assert_array_equal(poses.positions, [[1, 2, 0]])


def test_yaw_of_a_body_that_points_upwards_is_unknown() -> None:
    message = make.pose_stamped(0, 0.0, 0.0, 0.0)
    q = message.pose.orientation
    q.x, q.y, q.z, q.w = 0.0, -math.sqrt(0.5), 0.0, math.sqrt(0.5)
    assert np.isnan(collected(PoseLog(), [(0, message)]).yaws[0])


def test_an_imu_without_orientation_gives_nothing() -> None:
    """sensor_msgs/Imu: covariance -1 declares that there is none; some leave the quaternion 0."""
    zero = make.imu(0, 0.0)
    zero.orientation.w = 0.0
    rows = [(0, make.imu(0, 0.3, variance=-1.0)), (SECOND, zero), (2 * SECOND, make.imu(0, 0.3))]
    found = collected(OrientationLog(), rows)
    assert found.stamps.tolist() == [2 * SECOND]
    assert found.yaw_sigmas[0] == pytest.approx(0.1)


@pytest.mark.parametrize("log", [FixLog, PoseLog, OrientationLog])
def test_no_messages_give_empty_arrays(log: Any) -> None:
    result = log().result()
    assert [len(array) for array in result if not isinstance(array, str)] == [0] * (
        len(result) - isinstance(result[-1], str)
    )
