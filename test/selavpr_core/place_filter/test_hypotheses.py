from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_core.place_filter import Motion
from selavpr_core.place_filter.hypotheses import (
    SCALE,
    SCALE_LASTS,
    Hypotheses,
    group_by_distance,
    wrapped,
)


def single(
    yaw: float,
    yaw_sigma: float,
    speed: float = 0.0,
    speed_sigma: float = 0.0,
    scale: float = 0.0,
    scale_sigma: float = 0.0,
) -> Hypotheses:
    covariance = np.diag([0.3**2, 0.2**2, yaw_sigma**2, speed_sigma**2, scale_sigma**2])
    means = np.array([[1.0, 2.0, yaw, speed, scale]])
    return Hypotheses(
        np.ones(1), means, covariance[None], np.zeros(1), np.ones(1), *np.zeros((2, 1), bool)
    )


def samples(hypothesis: Hypotheses, count: int = 200_000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.multivariate_normal(hypothesis.means[0], hypothesis.covariances[0], count)


@pytest.mark.parametrize(
    ("yaw_sigma", "scale", "scale_sigma"),
    [(0.02, 0.0, 0.0), (0.5, 0.0, 0.0), (1.5, 0.0, 0.0), (0.02, 0.1, 0.1)],
)
def test_moving_gives_the_moments_of_many_moved_samples(
    yaw_sigma: float, scale: float, scale_sigma: float
) -> None:
    moved = single(0.7, yaw_sigma, scale=scale, scale_sigma=scale_sigma)
    drawn = samples(moved)
    motion = Motion(3.0, -1.0, 0.4, 0.1, 0.05)
    moved.move(motion, 1.0, 5.0)
    rng = np.random.default_rng(1)
    cos, sin = np.cos(drawn[:, 2]), np.sin(drawn[:, 2])
    longer = 1.0 + drawn[:, 4]
    x = drawn[:, 0] + longer * (cos * 3.0 + sin * 1.0) + 0.1 * rng.standard_normal(len(drawn))
    y = drawn[:, 1] + longer * (sin * 3.0 - cos * 1.0) + 0.1 * rng.standard_normal(len(drawn))
    np.testing.assert_allclose(moved.means[0, :2], [x.mean(), y.mean()], atol=0.02)
    np.testing.assert_allclose(moved.covariances[0, :2, :2], np.cov(x, y), atol=0.04)
    np.testing.assert_allclose(moved.means[0, 2], 1.1)
    cross = np.cov(x, drawn[:, 2])[0, 1]
    np.testing.assert_allclose(moved.covariances[0, 0, 2], cross, atol=0.03)
    cross = np.cov(x, drawn[:, 4])[0, 1]
    np.testing.assert_allclose(moved.covariances[0, 0, 4], cross, atol=0.002)


def test_what_is_known_of_the_scale_of_odometry_fades_with_the_way() -> None:
    moved = single(0.0, 0.01, scale=0.1, scale_sigma=0.01)
    for _ in range(100):
        moved.move(Motion(30.0, 0.0, 0.0, 0.1, 0.01), 1.0, 5.0)
    assert moved.means[0, 4] == pytest.approx(0.1 * np.exp(-3000.0 / SCALE_LASTS))
    assert moved.covariances[0, 4, 4] == pytest.approx(SCALE**2, rel=1e-3)
    assert np.linalg.eigvalsh(moved.covariances[0])[0] > 0


def test_without_odometry_a_hypothesis_goes_on_as_fast_as_it_was() -> None:
    moving = single(np.pi / 2, 0.01, speed=4.0, speed_sigma=1.0)
    moving.drift(0.5, 5.0)
    np.testing.assert_allclose(moving.means[0, :2], [1.0, 4.0], atol=0.01)
    assert 0 < moving.means[0, 3] < 4.0
    # What the speed may be off by lies along the way.
    assert moving.covariances[0, 1, 1] > moving.covariances[0, 0, 0]
    assert moving.covariances[0, 1, 3] > 0


def test_merging_keeps_weight_mean_and_covariance_across_the_turn_of_the_yaw() -> None:
    rng = np.random.default_rng(3)
    weights = np.array([0.2, 0.5, 0.3])
    means = np.array([[0, 0, 3.1, 1, 0], [1, 0.5, -3.1, 2, 0.1], [0.4, -1, 3.0, 0, 0]], float)
    roots = rng.normal(0, 0.3, (3, 5, 5))
    covariances = roots @ roots.transpose(0, 2, 1)
    sure, followed = np.array([True, False, False]), np.array([False, False, True])
    merged = Hypotheses(
        weights, means, covariances, np.array([0.0, 1, 2]), np.ones(3), sure, followed
    ).merged(np.array([1, 1, 0]))
    np.testing.assert_allclose(merged.weights, [0.3, 0.7])
    np.testing.assert_allclose(merged.means[0], means[2])
    np.testing.assert_allclose(merged.covariances[0], covariances[2])
    unwrapped = means[:2].copy()
    unwrapped[1, 2] += 2 * np.pi
    share = weights[:2] / 0.7
    mean = share @ unwrapped
    spread = unwrapped - mean
    expected = sum(
        s * (c + np.outer(d, d)) for s, c, d in zip(share, covariances, spread, strict=False)
    )
    np.testing.assert_allclose(merged.means[1], [*mean[:2], wrapped(mean[2]), *mean[3:]])
    np.testing.assert_allclose(merged.covariances[1], expected)
    assert merged.heights[1] == pytest.approx(share @ [0, 1])
    assert merged.sure.tolist() == [False, True]
    assert merged.followed.tolist() == [True, False]


def test_groups_form_around_the_heaviest() -> None:
    means = np.array([[0, 0, 0, 0], [1, 0, 0.1, 0], [50, 0, 0, 0], [0.5, 0, 3, 0]], float)
    groups = group_by_distance(
        np.array([0.1, 0.6, 0.2, 0.1]), means, np.full(4, 2.0), np.full(4, 0.5)
    )
    assert groups[0] == groups[1]
    assert len({groups[1], groups[2], groups[3]}) == 3
    assert sorted(set(groups)) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_those_of_a_loop(seed: int) -> None:
    """Each joins the heaviest pose near it that is heavier, and what that joins; in this order."""
    rng = np.random.default_rng(seed)
    count = 60
    means = np.column_stack([rng.uniform(0, 60, (count, 2)), rng.uniform(-np.pi, np.pi, count)])
    weights, radius, turn = rng.random(count), rng.uniform(2, 12, count), rng.uniform(0.1, 2, count)
    order = sorted(range(count), key=lambda n: -weights[n])
    roots: dict[int, int] = {}
    for rank, mine in enumerate(order):
        roots[mine] = mine
        for other in order[:rank]:
            apart = math.hypot(*(means[mine, :2] - means[other, :2]))
            turned = abs(math.remainder(means[mine, 2] - means[other, 2], math.tau))
            near = apart < min(radius[mine], radius[other])
            if near and turned < max(turn[mine], turn[other]):
                roots[mine] = roots[other]
                break
    heads = [n for n in order if roots[n] == n]
    expected = [heads.index(roots[n]) for n in range(count)]
    assert 1 < len(heads) < count
    assert group_by_distance(weights, means, radius, turn).tolist() == expected
