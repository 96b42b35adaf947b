from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.localization.replay import (
    Answers,
    Drive,
    Place,
    figures,
    on_map,
    pooled,
    with_filter,
    without_filter,
)
from benchmarks.localization.simulation import drifting
from test.selavpr_core.place_filter.roads import Eyes, along, straight

COUNTED = ("frames", "mapped", "published", "false")


def made(start: float, stop: float) -> tuple[Place, Drive, Eyes]:
    positions, headings = straight(200)
    poses = np.array(along(start, stop))
    true = np.column_stack([poses[:, :2], np.zeros(len(poses))])
    odometry = drifting(true, poses[:, 2], seed=1)
    drive = Drive(true, poses[:, 2], odometry, 0.5 * np.arange(len(poses)))
    return Place(positions, headings, [0]), drive, Eyes(positions, headings)


def test_figures_are_what_a_loop_counts() -> None:
    answers = Answers(
        published=np.array([True, True, True, False, True]),
        errors=np.array([1.0, 3.0, 100.0, 200.0, 5.0]),
        distances=np.array([0.5, 7.0, 1.0, 1.0, 5.9]),
        probabilities=np.array([0.99, 0.95, 0.91, 0.2, 0.99]),
        costs=np.full(5, 0.002),
    )
    mapped = np.array([True, True, False, True, True])
    found = figures(answers, mapped)
    assert found["frames"] == 5
    assert found["published"] == 4
    assert found["localised"] == pytest.approx(3 / 4)
    assert found["median"] == 4.0
    assert found["false"] == 1
    assert found["right"] == pytest.approx(3 / 4)
    assert found["stated"] == pytest.approx((0.99 + 0.95 + 0.91 + 0.99) / 4)  # of the published
    assert found["covered"] == pytest.approx(2 / 3)
    assert found["covered_of_all"] == pytest.approx(3 / 4)  # with the false one
    twice = figures(pooled([answers, answers]), np.concatenate([mapped, mapped]))
    for name in COUNTED:
        assert twice[name] == 2 * found[name]
    for name in ("localised", "right", "stated", "covered", "covered_of_all"):
        assert twice[name] == pytest.approx(found[name])
    assert found["milliseconds"] == pytest.approx(2.0)


def test_a_drive_at_a_lower_rate_has_the_same_poses() -> None:
    drive = made(100, 130)[1]
    seldom = drive.every(3)
    np.testing.assert_array_equal(seldom.positions, drive.positions[::3])
    assert seldom.odometry is not None
    assert drive.odometry is not None
    assert seldom.odometry[1] == drive.odometry[3]
    assert seldom.seconds[1] == drive.seconds[3]
    assert drive._replace(odometry=None).every(3).odometry is None


def test_nothing_published_has_no_errors() -> None:
    unknown = np.full(2, np.nan)
    nothing = Answers(np.zeros(2, bool), unknown, unknown, np.array([0.3, 0.4]), np.ones(2))
    found = figures(nothing, np.zeros(2, bool))
    assert (found["localised"], found["median"], found["covered"]) == (None, None, None)
    assert (found["right"], found["stated"]) == (None, None)
    assert found["false"] == 0


def test_frames_are_on_the_map_by_position_and_heading() -> None:
    place = Place(*straight(3), starts=[0])
    positions = np.array([[3.0, 9.0, 0], [3.0, 11.0, 0], [3.0, 0, 0]])
    drive = Drive(positions, np.array([0.0, 0.0, math.pi]), None, np.zeros(3))
    assert on_map(place, drive).tolist() == [True, False, False]


def test_the_filter_is_replayed_beside_single_images() -> None:
    place, drive, eyes = made(100, 200)
    looks = [eyes.look(x, y) for x, y, _ in drive.positions]
    single = without_filter(place, drive, looks.__getitem__)
    filtered = with_filter(place, drive, looks.__getitem__)
    assert single.published.mean() > 0.9
    assert filtered.published[20:].all()
    assert np.median(filtered.errors[20:]) < 3.0
    assert (filtered.costs > 0).all()
    assert filtered.probabilities[20:].min() >= 0.9
    assert np.isnan(single.probabilities).all()
    assert figures(single, on_map(place, drive))["stated"] is None
