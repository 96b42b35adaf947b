from __future__ import annotations

import numpy as np
import pytest

from examples.streets import Drive, route

START = 1_750_000_000_000_000_000


@pytest.fixture(scope="module")
def path(quarter):
    return route(quarter.plan, [(1, 0), (1, 1), (2, 1)], lane=1.2)


def distance_to(points, line):
    """Distance [N] of each point from the nearest of a dense line's points."""
    return np.linalg.norm(points[:, None] - line[None], axis=2).min(axis=1)


def test_a_route_keeps_to_the_right_of_the_middle(quarter, path):
    for first, last in (((1, 0), (1, 1)), ((1, 1), (2, 1))):
        start, end = quarter.plan.crossings[first], quarter.plan.crossings[last]
        along = (end - start) / np.linalg.norm(end - start)
        right = np.array([along[1], -along[0]])
        share = (path - start) @ along / np.linalg.norm(end - start)
        offset = (path - start) @ right
        straight = (share > 0.25) & (share < 0.75) & (np.abs(offset) < 5)
        assert straight.sum() > 50
        assert offset[straight] == pytest.approx(1.2, abs=1e-6)


def test_a_route_is_even_and_turns_without_a_kink(path):
    steps = np.diff(path, axis=0)
    assert np.linalg.norm(steps, axis=1) == pytest.approx(0.25, abs=0.02)
    turns = np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    assert np.abs(turns).max() < np.radians(8)
    assert np.abs(turns.sum()) > np.radians(50)


def test_a_drive_keeps_speed_height_and_lateral_offset(path):
    drive = Drive.along(path, START, speed=5.0, lateral=1.5, height=1.4, seed=3)
    assert drive.stamps[0] == START
    seconds = np.diff(drive.stamps) / 1e9
    speeds = np.linalg.norm(np.diff(drive.positions, axis=0), axis=1) / seconds
    assert (speeds.min(), speeds.max()) == pytest.approx((4.5, 5.5), abs=0.1)
    assert np.all(drive.positions[:, 2] == 1.4)
    ahead = np.gradient(path, axis=0)
    left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    offset = ((drive.positions[:, :2] - path) * left).sum(axis=1)
    assert np.abs(offset - 1.5).max() < 0.11


def test_headings_are_the_direction_of_travel(path):
    drive = Drive.along(path, START, lateral=-1.0)
    ahead = np.diff(drive.positions[:, :2], axis=0)
    travel = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    between = 0.5 * (drive.headings[1:] + drive.headings[:-1])
    assert np.abs(np.angle(np.exp(1j * (travel - between)))).max() < np.radians(3)


def test_at_interpolates_between_knots(path):
    drive = Drive.along(path, START)
    index = np.array([0, 7, 100])
    positions, headings = drive.at(drive.stamps[index])
    assert positions == pytest.approx(drive.positions[index])
    assert headings == pytest.approx(drive.headings[index])
    middle = (drive.stamps[7] + drive.stamps[8]) // 2
    positions, _ = drive.at([middle])
    assert positions[0] == pytest.approx(drive.positions[7:9].mean(axis=0), abs=1e-6)


def test_stamps_come_at_the_rate_asked_for(path):
    drive = Drive.along(path, START)
    stamps = drive.stamps_at(2.5)
    assert stamps[0] == START
    assert set(np.diff(stamps)) == {400_000_000}
    assert drive.stamps[-1] - 400_000_000 < stamps[-1] <= drive.stamps[-1]


def test_the_seed_changes_a_drive_a_little(path):
    one, two = Drive.along(path, START, seed=1), Drive.along(path, START, seed=2)
    assert not np.array_equal(one.positions, two.positions)
    assert np.abs(one.positions - two.positions).max() < 0.25
