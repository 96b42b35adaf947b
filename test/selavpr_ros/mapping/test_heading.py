from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from selavpr_core.geodesy import Datum
from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.mapping.heading import (
    COMPASS_SIGMA,
    Headings,
    align_orientations,
    align_poses,
    direction_of_travel,
    headings_of_poses,
    wrap,
)
from selavpr_ros.mapping.recording import FixLog, OrientationLog, Orientations, PoseLog, Poses
from selavpr_ros.mapping.track import Track

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
DATUM = Datum.at(55.7, 13.2)

Quaternion = tuple[float, float, float, float]  # x, y, z, w
LEVEL: Quaternion = (0.0, 0.0, 0.0, 1.0)
SIDEWAYS: Quaternion = (0.5, 0.5, 0.5, 0.5)  # the sensor's y axis up, as some are built
UPSIDE_DOWN: Quaternion = (1.0, 0.0, 0.0, 0.0)


class Drive(NamedTuple):
    """A simulated drive at 10 Hz: seconds [N], positions [N, 2], headings [N]."""

    times: NDArray[np.float64]
    positions: NDArray[np.float64]
    headings: NDArray[np.float64]


def drive(
    seconds: float,
    speed: Callable[[float], float] = lambda t: 1.5,
    turn: Callable[[float], float] = lambda t: 0.0,
    start: float = 0.4,
) -> Drive:
    """Integrate speed (m/s) and turn rate (rad/s) over time."""
    times = np.arange(0, seconds + 1e-9, 0.1)
    headings = start + np.concatenate([[0], np.cumsum([0.1 * turn(t) for t in times[:-1]])])
    steps = np.array([0.1 * speed(t) for t in times[:-1]])
    middles = (headings[:-1] + headings[1:]) / 2
    moves = np.stack([steps * np.cos(middles), steps * np.sin(middles)], axis=1)
    return Drive(times, np.concatenate([[[0, 0]], np.cumsum(moves, axis=0)]), headings)


def ns(times: NDArray[np.float64] | float) -> NDArray[np.int64]:
    return START + np.round(np.asarray(times) * 1e9).astype(np.int64)


def gps(of: Drive, rate: float = 2.0, sigma: float = 1.0, seed: int | None = 1) -> Track:
    """Fixes of a drive with independent noise of `sigma`, or without noise for seed None."""
    every = round(10 / rate)
    noise = np.zeros((len(of.times), 2))
    if seed is not None:
        noise = np.random.default_rng(seed).normal(0, sigma, noise.shape)
    points = (of.positions + noise)[::every]
    stamps = ns(of.times[::every])
    return Track.of(stamps, np.pad(points, ((0, 0), (0, 1))), np.full(len(points), sigma), 99)


def odometry(of: Drive, rotation: float = 2.0, drift: float = 0.0) -> Poses:
    """The drive in a frame of its own, turned by `rotation` and by `drift` a second more."""
    turned = -rotation - drift * of.times
    steps = np.diff(of.positions, axis=0)
    cos, sin = np.cos(turned[:-1]), np.sin(turned[:-1])
    moves = np.stack(
        [cos * steps[:, 0] - sin * steps[:, 1], sin * steps[:, 0] + cos * steps[:, 1]], axis=1
    )
    positions = np.cumsum(np.concatenate([[[5.0, -3.0]], moves]), axis=0)
    unknown = np.full(len(of.times), np.nan)
    return Poses(
        ns(of.times),
        np.pad(positions, ((0, 0), (0, 1))),
        np.asarray(wrap(of.headings + turned)),
        unknown,
        unknown,
        "odom",
    )


def imu(
    of: Drive,
    rotation: float = 1.0,
    drift: float = 0.0,
    mounting: Quaternion = LEVEL,
    yaw_sigma: float = math.nan,
) -> Orientations:
    """Quaternions of an IMU whose world is turned by `rotation`; `mounting`: sensor to body."""
    half = (of.headings - rotation - drift * of.times) / 2
    z, w = np.sin(half), np.cos(half)  # the body's own turn about z
    x1, y1, z1, w1 = mounting
    product = [w * x1 - z * y1, w * y1 + z * x1, w * z1 + z * w1, w * w1 - z * z1]
    return Orientations(ns(of.times), np.stack(product, axis=1), np.full(len(half), yaw_sigma))


def errors(found: Headings, of: Drive) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors and sigmas at each half second, radians."""
    rows = [(found.at(int(ns(t)), 2.5), h) for t, h in zip(of.times, of.headings, strict=True)]
    return (
        np.array([float(wrap(heading.heading - truth)) for heading, truth in rows]),
        np.array([heading.sigma for heading, _ in rows]),
    )


def winding(t: float) -> float:
    return 0.15 * math.sin(t / 12)


@given(st.floats(-50, 50))
def test_wrap_keeps_the_direction_in_the_half_open_circle(angle: float) -> None:
    wrapped = float(wrap(angle))
    assert -math.pi < wrapped <= math.pi
    assert math.cos(wrapped - angle) == pytest.approx(1)


def test_wrap_of_the_seam() -> None:
    assert float(wrap(-math.pi)) == math.pi == float(wrap(math.pi))


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.one_of(st.just(math.nan), st.floats(-3.14, 3.14))),
        max_size=8,
        unique_by=lambda row: row[0],
    ),
    st.floats(-2, 32),
)
def test_headings_between_samples_agree_with_plain_steps(
    rows: list[tuple[int, float]], time: float
) -> None:
    rows = sorted(rows)
    headings = Headings(
        ns(np.array([t for t, _ in rows], dtype=float)),
        np.array([h for _, h in rows]),
        np.array([math.nan if math.isnan(h) else 0.1 for _, h in rows]),
    )
    stamp = int(ns(time))
    found = headings.at(stamp, max_gap=5)
    expected = math.nan
    for t, h in rows:
        if START + t * SECOND == stamp:
            expected = h
    for (t0, h0), (t1, h1) in itertools.pairwise(rows):
        if START + t0 * SECOND < stamp < START + t1 * SECOND and t1 - t0 <= 5:
            share = (stamp - START - t0 * SECOND) / ((t1 - t0) * SECOND)
            expected = h0 + share * math.remainder(h1 - h0, 2 * math.pi)
    if math.isnan(expected):
        assert math.isnan(found.heading)
        assert math.isnan(found.sigma)
    else:
        assert math.cos(found.heading - expected) == pytest.approx(1, abs=1e-9)
        assert found.sigma == pytest.approx(0.1)


# Direction of travel


def test_on_a_straight_it_is_the_direction_everywhere() -> None:
    of = drive(30)
    track = gps(of, seed=None)
    for time in np.arange(0, 30, 0.7):
        found = direction_of_travel(track, int(ns(time)))
        assert found.heading == pytest.approx(0.4, abs=1e-6)
        # sqrt(2) sigma over a chord of at least 4 sigma, and the floor of 2 degrees
        assert found.sigma <= math.hypot(math.sqrt(2) / 4, math.radians(2)) + 1e-9


def test_in_a_steady_bend_it_is_the_tangent() -> None:
    of = drive(60, speed=lambda t: 3.0, turn=lambda t: 0.1)
    track = gps(of, rate=10, sigma=0.3, seed=None)
    for i in range(20, len(of.times) - 20, 7):
        found = direction_of_travel(track, int(ns(of.times[i])))
        assert abs(float(wrap(found.heading - of.headings[i]))) < 0.01


@pytest.mark.parametrize("turn", [0.0, 0.2])
def test_its_errors_are_as_large_as_it_says(turn: float) -> None:
    of = drive(400, turn=lambda t: turn * math.sin(t / 5))
    ratios = []
    for seed in range(3):
        track = gps(of, sigma=1.0, seed=seed)
        for i in range(0, len(of.times), 9):
            found = direction_of_travel(track, int(ns(of.times[i])))
            if not math.isnan(found.heading):
                ratios.append(float(wrap(found.heading - of.headings[i])) / found.sigma)
    within = np.abs(ratios)
    assert len(ratios) > 300
    assert (within < 1).mean() > 0.6
    assert (within < 3).mean() > 0.98


def test_standing_still_it_is_unknown() -> None:
    rng = np.random.default_rng(4)
    wander = np.cumsum(rng.normal(0, 0.1, (60, 2)), axis=0)
    stamps = ns(np.arange(60.0))
    track = Track.of(stamps, np.pad(wander, ((0, 0), (0, 1))), np.full(60, 1.0), 99)
    known = [direction_of_travel(track, int(t)).heading for t in stamps]
    assert np.isnan(known).all()


def test_a_stop_between_two_straights_is_unknown_and_the_straights_are_not() -> None:
    of = drive(30, speed=lambda t: 0.0 if 10 <= t < 20 else 4.0)
    track = gps(of, seed=None)
    for time, known in [(5, True), (12, False), (15, False), (18, False), (25, True)]:
        assert math.isfinite(direction_of_travel(track, int(ns(time))).heading) is known


def test_outside_the_track_it_is_unknown() -> None:
    track = gps(drive(10), seed=None)
    assert math.isnan(direction_of_travel(track, START - 1).heading)
    assert math.isnan(direction_of_travel(track, int(ns(10)) + 1).heading)


def test_one_fix_gives_no_direction() -> None:
    track = Track.of(ns(np.array([0.0])), np.zeros((1, 3)), np.ones(1), 9)
    assert math.isnan(direction_of_travel(track, START).heading)


# Yaw of odometry


def test_poses_of_a_map_without_gps_say_their_own_heading() -> None:
    poses = odometry(drive(5))
    stated = np.full(len(poses.stamps), 0.2)
    found = headings_of_poses(poses._replace(yaw_sigmas=stated))
    np.testing.assert_allclose(found.headings, poses.yaws)
    np.testing.assert_allclose(found.sigmas, 0.2)
    assert headings_of_poses(poses).sigmas[0] == pytest.approx(math.radians(5))


@pytest.mark.parametrize("rotation", [0.0, 2.0, math.pi, -1.2])
def test_the_frame_of_odometry_is_turned_into_the_map(rotation: float) -> None:
    of = drive(120, turn=winding)
    found = align_poses(odometry(of, rotation), gps(of))
    assert found is not None
    error, sigma = errors(found, of)
    assert np.abs(error).max() < math.radians(12)
    assert (np.abs(error) < 2.5 * sigma).all()
    assert sigma.max() < math.radians(15)


def test_drift_of_odometry_is_followed() -> None:
    """18 degrees a minute: one rotation for the whole drive would end 90 degrees off."""
    of = drive(300, turn=winding)
    found = align_poses(odometry(of, drift=math.radians(0.3)), gps(of))
    assert found is not None
    error, sigma = errors(found, of)
    assert np.abs(error).max() < math.radians(15)
    assert (np.abs(error) < 3 * sigma).mean() > 0.95


def test_reversing_does_not_turn_the_robot_round() -> None:
    of = drive(120, speed=lambda t: -1.0 if 40 <= t < 80 else 1.5)
    track = gps(of, sigma=0.3)
    found = align_poses(odometry(of), track)
    assert found is not None
    error, _ = errors(found, of)
    assert np.abs(error).max() < math.radians(8)
    backwards = direction_of_travel(track, int(ns(60)))
    assert abs(float(wrap(backwards.heading - of.headings[600]))) > math.radians(150)


def test_turning_on_the_spot_is_followed() -> None:
    of = drive(
        80,
        speed=lambda t: 0.0 if 30 <= t < 50 else 1.5,
        turn=lambda t: 0.15 if 30 <= t < 50 else 0.0,
    )
    found = align_poses(odometry(of), gps(of, sigma=0.5))
    assert found is not None
    error, _ = errors(found, of)
    assert np.abs(error).max() < math.radians(10)


def test_jumps_of_the_receiver_are_outvoted() -> None:
    of = drive(120)
    track = gps(of, sigma=0.5)
    jumped = track.positions.copy()
    jumped[60:70] += (0.0, 40.0, 0.0)
    found = align_poses(
        odometry(of), Track(track.stamps, jumped, track.sigmas, track.fault_stamps, track.faults)
    )
    assert found is not None
    error, _ = errors(found, of)
    assert np.abs(error).max() < math.radians(12)


def test_odometry_that_has_nothing_to_do_with_the_track_is_not_believed() -> None:
    of = drive(200)
    steps = np.random.default_rng(0).normal(0, 1.5, (201, 2))
    walk = np.cumsum(steps, axis=0)
    lost = np.stack([np.interp(of.times, np.arange(201), walk[:, k]) for k in (0, 1)], axis=1)
    poses = odometry(of)._replace(positions=np.pad(lost, ((0, 0), (0, 1))))
    assert align_poses(poses, gps(of)) is None


def test_odometry_that_never_moves_is_not_aligned() -> None:
    of = drive(60, speed=lambda t: 0.0)
    assert align_poses(odometry(of), gps(of, seed=None)) is None


def test_odometry_without_orientation_is_not_aligned() -> None:
    of = drive(60)
    poses = odometry(of)
    assert align_poses(poses._replace(yaws=np.full(len(of.times), np.nan)), gps(of)) is None


def test_far_from_any_movement_the_heading_is_unknown() -> None:
    of = drive(400, speed=lambda t: 1.5 if t < 60 else 0.0)
    found = align_poses(odometry(of), gps(of, seed=None))
    assert found is not None
    assert math.isfinite(found.at(int(ns(30)), 2.5).heading)
    sigmas = [found.at(int(ns(t)), 2.5).sigma for t in (50, 70, 90, 110)]
    assert sigmas == sorted(sigmas)
    assert math.isnan(found.at(int(ns(390)), 2.5).heading)


# Yaw of an IMU


@pytest.mark.parametrize("mounting", [LEVEL, SIDEWAYS, UPSIDE_DOWN])
@pytest.mark.parametrize("rotation", [0.0, 2.5])
def test_an_imu_is_aligned_however_it_is_mounted(mounting: Quaternion, rotation: float) -> None:
    of = drive(200, turn=winding)
    found = align_orientations(imu(of, rotation, 0.001, mounting), gps(of), DATUM)
    assert found is not None
    error, sigma = errors(found, of)
    assert np.abs(error).max() < math.radians(15)
    assert (np.abs(error) < 3 * sigma).mean() > 0.95


def test_a_short_reverse_is_outvoted() -> None:
    of = drive(200, speed=lambda t: -1.0 if 90 <= t < 100 else 1.5)
    found = align_orientations(imu(of), gps(of, sigma=0.5), DATUM)
    assert found is not None
    error, _ = errors(found, of)
    assert np.abs(error).max() < math.radians(12)


def test_a_yaw_that_counts_the_other_way_is_not_believed() -> None:
    """An IMU in north-east-down: its yaw does not follow the direction of travel."""
    of = drive(300, turn=lambda t: 0.1)
    mirrored = imu(Drive(of.times, of.positions, -of.headings))
    assert align_orientations(mirrored, gps(of, sigma=0.3), DATUM) is None


def test_a_standing_imu_is_taken_at_its_word_with_the_convergence_of_the_grid() -> None:
    of = drive(60, speed=lambda t: 0.0, start=1.1)
    datum = Datum.at(60.0, 11.9)  # far from the meridian of zone 32
    found = align_orientations(imu(of, rotation=0.0, yaw_sigma=0.05), gps(of, seed=None), datum)
    assert found is not None
    heading = found.at(int(ns(30)), 2.5)
    convergence = math.radians(2.9 * math.sin(math.radians(60)))
    assert heading.heading == pytest.approx(1.1 + convergence, abs=1e-3)
    assert heading.sigma == pytest.approx(math.hypot(COMPASS_SIGMA, 0.05))


@pytest.mark.parametrize(
    ("mounting", "yaw_sigma"), [(LEVEL, math.nan), (SIDEWAYS, 0.05), (UPSIDE_DOWN, 0.05)]
)
def test_a_standing_imu_that_states_no_variance_or_is_not_level_says_nothing(
    mounting: Quaternion, yaw_sigma: float
) -> None:
    of = drive(60, speed=lambda t: 0.0)
    orientations = imu(of, mounting=mounting, yaw_sigma=yaw_sigma)
    assert align_orientations(orientations, gps(of, seed=None), DATUM) is None


def test_no_orientations_give_no_headings() -> None:
    of = drive(10)
    none = Orientations(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    assert align_orientations(none, gps(of), DATUM) is None


# A real drive


@pytest.mark.shared
def test_wheel_odometry_and_an_imu_agree_with_each_other_and_with_the_track(shared: Path) -> None:
    """395 s with a Husky: the IMU lies on its side, wheel odometry starts anywhere."""
    fixes, poses, orientations = FixLog(), PoseLog(), OrientationLog()
    logs = {"/fix": fixes, "/husky_velocity_controller/odom": poses, "/imu/data": orientations}
    with BagReader(shared / "data" / "bags" / "husky_navsat_mcap") as reader:
        for topic, bag_stamp, message in reader.messages(logs):
            logs[topic].add(stamp_of(message, bag_stamp), message)  # type: ignore[attr-defined]
    recorded = fixes.result()
    datum = Datum.at(float(recorded.latitudes[0]), float(recorded.longitudes[0]))
    positions = datum.to_map(recorded.latitudes, recorded.longitudes, recorded.altitudes)
    track = Track.of(recorded.stamps, positions, recorded.sigmas, 10.0)
    wheels = align_poses(poses.result(), track)
    inertial = align_orientations(orientations.result(), track, datum)
    assert wheels is not None
    assert inertial is not None
    rows = []
    for stamp in range(int(track.stamps[0]), int(track.stamps[-1]), SECOND // 2):
        travel = direction_of_travel(track, stamp)
        rows.append((*wheels.at(stamp, 2.5), *inertial.at(stamp, 2.5), *travel))
    table = np.degrees(np.array(rows))
    assert track.length() == pytest.approx(363, abs=5)
    assert np.isfinite(table[:, :4]).mean() > 0.99
    assert np.isfinite(table[:, 4]).mean() > 0.85
    for i, j, median in ((0, 2, 7), (0, 4, 11), (2, 4, 11)):
        difference = np.abs((table[:, i] - table[:, j] + 180) % 360 - 180)
        known = np.isfinite(difference)
        allowed = 2 * np.hypot(table[:, i + 1], table[:, j + 1])
        assert np.median(difference[known]) < median
        assert (difference < allowed)[known].mean() > 0.9


@pytest.mark.parametrize("stamp", [12 * SECOND, 2**32 * SECOND])
@pytest.mark.parametrize("align", ["poses", "orientations"])
def test_a_stamp_decades_off_costs_nothing(align: str, stamp: int) -> None:
    """A robot without a clock of its own starts in 1970, until the time comes by network."""
    of = drive(30, turn=lambda t: 0.05)
    track = gps(of)
    place = 0 if stamp < START else len(of.times)
    if align == "poses":
        good = odometry(of)
        with_far = Poses(
            np.insert(good.stamps, place, stamp),
            np.insert(good.positions, place, 0.0, axis=0),
            np.insert(good.yaws, place, 0.0),
            np.insert(good.sigmas, place, math.nan),
            np.insert(good.yaw_sigmas, place, math.nan),
            "odom",
        )
        expected, found = align_poses(good, track), align_poses(with_far, track)
    else:
        level = imu(of)
        oriented = Orientations(
            np.insert(level.stamps, place, stamp),
            np.insert(level.quaternions, place, LEVEL, axis=0),
            np.insert(level.yaw_sigmas, place, math.nan),
        )
        expected = align_orientations(level, track, DATUM)
        found = align_orientations(oriented, track, DATUM)
    assert expected is not None
    assert found is not None
    assert not math.isfinite(found.at(stamp, 2.5).heading)
    for t in range(1, 30):
        one, other = expected.at(int(ns(t)), 2.5), found.at(int(ns(t)), 2.5)
        assert abs(float(wrap(one.heading - other.heading))) < math.radians(1)
        assert other.sigma == pytest.approx(one.sigma, rel=0.1)


def test_an_unknown_heading_wraps_without_a_warning() -> None:
    with np.errstate(invalid="raise"):  # NumPy 1.21 warns of a remainder of NaN
        assert math.isnan(float(wrap(math.nan)))
        assert math.isnan(float(wrap(math.inf)))
