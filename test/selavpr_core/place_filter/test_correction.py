from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_core.place_filter.correction import (
    MATCH_ACROSS,
    MATCH_SHARE,
    MATCH_YAW_SIGMA,
    correct,
)
from selavpr_core.place_filter.hypotheses import Hypotheses
from selavpr_core.place_filter.nearby import Nearby
from selavpr_core.place_filter.places import Places

REACH = 3.0


def road(direction: float, headings: bool = True) -> Places:
    """Ten places 3 m apart in a direction."""
    ways = 3.0 * np.arange(10)[:, None] * [math.cos(direction), math.sin(direction), 0.1]
    return Places(ways, np.full(10, direction if headings else np.nan), [0])


def hypothesis(seed: int = 0) -> Hypotheses:
    root = np.random.default_rng(seed).normal(0, 1, (1, 5, 5))
    covariances = root @ root.transpose(0, 2, 1)
    return Hypotheses(
        np.ones(1), np.zeros((1, 5)), covariances, np.zeros(1), np.ones(1), *np.zeros((2, 1), bool)
    )


def pairs(places: list[int], offsets: list[list[float]]) -> Nearby:
    return Nearby(
        np.zeros(len(places), np.int64), np.array(places), np.array(offsets, float),
        np.full(len(places), 0.5), np.array([REACH]),
    )  # fmt: skip


def noise(direction: float, part: float) -> np.ndarray:
    turn = np.array(
        [[math.cos(direction), -math.sin(direction)], [math.sin(direction), math.cos(direction)]]
    )
    matrix = np.zeros((3, 3))
    sigmas = np.array([MATCH_SHARE * REACH, MATCH_ACROSS])
    matrix[:2, :2] = turn @ np.diag(sigmas**2) @ turn.T
    matrix[2, 2] = MATCH_YAW_SIGMA**2
    return matrix / part


@pytest.mark.parametrize("direction", [0.0, 0.6, 2.5])
@pytest.mark.parametrize("part", [1.0, 0.3])
def test_one_certain_match_is_a_kalman_step_wide_along_the_track(
    direction: float, part: float
) -> None:
    moved = hypothesis()
    prior = moved.covariances[0].copy()
    offset = np.array([1.5, -0.4, 0.2])
    correct(moved, road(direction), pairs([4], [offset]), np.ones(1), np.ones(1), part)
    gain = prior[:, :3] @ np.linalg.inv(prior[:3, :3] + noise(direction, part))
    np.testing.assert_allclose(moved.means[0], gain @ offset)
    np.testing.assert_allclose(moved.covariances[0], prior - gain @ prior[:3])


def test_several_matches_that_may_be_wrong_are_what_a_loop_over_them_says() -> None:
    moved = hypothesis(1)
    prior = moved.covariances[0].copy()
    offsets = np.array([[12.0, 0.0, 0.1], [-14.0, 1.0, -0.2], [2.0, 0.5, 0.0]])
    weights, certain = np.array([2.0, 1.0, 0.0]), 0.7
    correct(moved, road(0.0), pairs([8, 1, 5], offsets.tolist()), weights, np.array([certain]), 1.0)
    mean, second = np.zeros(3), np.zeros((3, 3))
    for weight, offset in zip(weights, offsets, strict=True):
        mean += certain * weight / 3.0 * offset
        second += certain * weight / 3.0 * np.outer(offset, offset)
    spread = second - np.outer(mean, mean)
    # Neighbours look alike: as much of the spread as that explains says nothing.
    spread *= max(1.0 - 2.0 * REACH**2 / (spread[0, 0] + spread[1, 1]), 0.0)
    gain = prior[:, :3] @ np.linalg.inv(prior[:3, :3] + noise(0.0, 1.0))
    np.testing.assert_allclose(moved.means[0], gain @ mean)
    expected = prior - certain * gain @ prior[:3] + gain @ spread @ gain.T
    np.testing.assert_allclose(moved.covariances[0], expected)


def test_without_a_match_nothing_moves() -> None:
    for nearby in (pairs([4], [[1.0, 0.0, 0.0]]), pairs([], np.zeros((0, 3)).tolist())):
        moved, before = hypothesis(), hypothesis()
        if not len(nearby.places):
            nearby = Nearby(
                np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0),
                np.array([REACH]),
            )  # fmt: skip
        correct(moved, road(0.0), nearby, np.zeros(len(nearby.places)), np.ones(1), 1.0)
        np.testing.assert_array_equal(moved.means, before.means)
        np.testing.assert_allclose(moved.covariances, before.covariances)
        assert (moved.heights[0], moved.height_variances[0]) == (0.0, 1.0)


def test_places_of_unknown_heading_say_little_of_the_heading() -> None:
    known, unknown = hypothesis(), hypothesis()
    for moved in (known, unknown):  # nothing tells the yaw but the match itself
        moved.covariances = np.diag([1.0, 1.0, 1.0, 1.0, 0.01])[None]
    for moved, headings in ((known, True), (unknown, False)):
        correct(moved, road(0.0, headings), pairs([4], [[0, 0, 0]]), np.ones(1), np.ones(1), 1.0)
    assert known.covariances[0, 2, 2] < 0.05
    assert unknown.covariances[0, 2, 2] > 0.7


def test_heights_follow_those_of_the_places() -> None:
    moved = hypothesis()
    correct(moved, road(0.0), pairs([9], [[0, 0, 0]]), np.ones(1), np.ones(1), 0.5)
    gain = 1.0 / (1.0 + REACH**2 / 0.5)
    assert moved.heights[0] == pytest.approx(gain * 2.7, rel=1e-5)
    assert moved.height_variances[0] == pytest.approx(1.0 - gain, rel=1e-5)
