from __future__ import annotations

import numpy as np
import pytest

from benchmarks.localization.simulation import Camera, beside, drifting, reversed_track, winding


def test_a_road_winds_in_even_steps() -> None:
    road = winding(600.0, 2.0, seed=3)
    steps = np.diff(road.positions[:, :2], axis=0)
    np.testing.assert_allclose(np.hypot(*steps.T), 2.0)
    np.testing.assert_allclose(np.angle(np.exp(1j * (np.arctan2(*steps.T[::-1]) - road.headings[1:]))), 0, atol=1e-9)  # fmt: skip  # noqa: E501
    assert np.ptp(road.headings) > 0.5


def test_beside_and_back() -> None:
    road = winding(300.0, 1.0, seed=1)
    left = beside(road, 2.0)
    np.testing.assert_allclose(np.linalg.norm(left.positions - road.positions, axis=1), 2.0)
    back = reversed_track(road)
    np.testing.assert_array_equal(back.positions[0], road.positions[-1])
    np.testing.assert_allclose(np.cos(back.headings - road.headings[::-1]), -1.0)


def test_images_are_most_like_where_they_were_taken() -> None:
    road = winding(900.0, 3.0, seed=2)
    camera = Camera(road.positions, road.headings, seed=0, noise=0.01, fading=0.0)
    for place in (10, 100, 200):
        found, similarities = camera.look(road.positions[place], road.headings[place], 5.0)
        assert abs(int(found[0]) - place) <= 1
        assert len(found) == 100
        assert np.all(np.diff(similarities) <= 0)
    # The other way nothing is alike.
    _, similarities = camera.look(road.positions[100], road.headings[100] + np.pi, 5.0)
    assert similarities[0] < 0.4


def test_look_alikes_are_alike() -> None:
    road = winding(900.0, 3.0, seed=2)
    clusters = np.full(300, -1)
    clusters[[50, 250]] = 7
    camera = Camera(road.positions, road.headings, 0, noise=0.01, fading=0.0, clusters=clusters)
    found, _ = camera.look(road.positions[50], road.headings[50], 5.0)
    assert 250 in found[:4]


def test_odometry_drifts_but_not_in_a_step() -> None:
    road = winding(400.0, 1.0, seed=5)
    odometry = np.array(drifting(road.positions, road.headings, seed=2))
    assert odometry.shape == (400, 3)
    ways = np.hypot(*np.diff(odometry[:, :2], axis=0).T)
    assert ways == pytest.approx(np.ones(399), abs=0.2)
    perfect = np.array(drifting(road.positions, road.headings, 2, scale=0.0, drift=0.0))
    assert abs(perfect[-1, 2] - odometry[-1, 2]) > 0.01
