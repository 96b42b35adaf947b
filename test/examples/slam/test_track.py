from __future__ import annotations

import math

import numpy as np

from examples.slam.drift import DriftModel, drifted
from examples.slam.track import Track, between, driven, moved

POSES = np.array([[1.0, 2.0, 0.3], [-4.0, 1.0, 3.0], [0.0, 0.0, -2.9]])


def matrix(pose: np.ndarray) -> np.ndarray:
    x, y, yaw = pose
    return np.array(
        [[math.cos(yaw), -math.sin(yaw), x], [math.sin(yaw), math.cos(yaw), y], [0, 0, 1]]
    )


def test_steps_are_those_of_homogeneous_matrices() -> None:
    for start in POSES:
        for end in POSES:
            step = between(start, end)
            assert np.allclose(matrix(step), np.linalg.inv(matrix(start)) @ matrix(end))
            assert np.allclose(matrix(moved(start, step)), matrix(end))
            assert -math.pi < step[2] <= math.pi


def test_a_track_turns_the_shorter_way() -> None:
    track = Track(np.array([0, 10]), np.array([[0, 0, 3.1], [1, 0, -3.1]]))
    assert abs(track.at(5)[2]) > 3.1
    assert not track.covers(11)
    assert track.covers(10)


def line() -> Track:
    x = np.arange(101.0)
    return Track((x * 1e9).astype(np.int64), np.column_stack([x, 0 * x, 0 * x]))


def test_drift_is_what_its_model_says() -> None:
    model = DriftModel(scale=0.1, bend=0.01, slip=0.0, wobble=0.0)
    odometry = drifted(line(), model, 0).poses
    assert np.isclose(driven(odometry), 110.0)
    assert np.isclose(odometry[-1, 2], 1.0)
    # Steps of 1.1 m that turn by 0.01 each: a polygon, its corners computed one by one.
    x = y = 0.0
    for step in range(100):
        x += 1.1 * math.cos(0.01 * step)
        y += 1.1 * math.sin(0.01 * step)
    assert np.allclose(odometry[-1, :2], (x, y))


def test_scatter_does_not_depend_on_how_finely_a_way_is_measured() -> None:
    model = DriftModel(scale=0.0, bend=0.0, slip=0.0, wobble=0.02)
    coarse = line()
    stamps = np.arange(0, 100_000_000_001, 100_000_000)
    fine = Track(stamps, coarse.at(stamps))
    for track in (coarse, fine):
        ends = [drifted(track, model, seed).poses[-1, 2] for seed in range(300)]
        assert 0.17 < np.std(ends) < 0.23  # 0.02 times the root of 100 m


def test_no_drift_changes_nothing_and_a_seed_gives_the_same_again() -> None:
    assert np.allclose(drifted(line(), DriftModel().times(0), 1).poses, line().poses)
    once, again, other = (drifted(line(), DriftModel(), seed).poses for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.allclose(once, other)
