from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selavpr_ros.nodes.localization.pose_estimate import (
    LEAST_POSITION_SIGMA,
    SAME_PLACE,
    SIMILARITY_SCALE,
    TILT_SIGMA,
    UNKNOWN_YAW_VARIANCE,
    VIEW_SIGMA,
    candidates_agree,
    estimate_pose,
    wrap_angle,
)

finite = st.floats(-1e5, 1e5)
angle = st.one_of(st.floats(-math.pi, math.pi), st.just(math.nan))
sigma = st.one_of(st.floats(0, 1e4), st.just(math.nan), st.just(math.inf))


def single(**overrides: float) -> dict[str, float]:
    return {"position_sigma": 1.0, "heading_sigma": 0.1, "spacing": 4.0} | overrides


def test_one_clear_match_gives_its_pose_and_the_known_uncertainties() -> None:
    estimate = estimate_pose(
        np.array([0.9]), np.array([[1.0, 2.0, 3.0]]), np.array([0.5]), **single()
    )
    assert estimate.position.tolist() == [1.0, 2.0, 3.0]
    assert estimate.yaw == 0.5
    # The place's own sigma, and half the way to the next place.
    assert np.diag(estimate.covariance) == pytest.approx(
        [5.0, 5.0, 5.0, TILT_SIGMA**2, TILT_SIGMA**2, 0.1**2 + VIEW_SIGMA**2]
    )
    assert estimate.position_sigma == pytest.approx(math.sqrt(5.0))
    assert estimate.agreement == 1.0


def test_scatter_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(7)
    similarities = np.sort(rng.uniform(0.5, 0.6, 20))[::-1]
    positions = rng.normal(0, 30, (20, 3))
    headings = rng.uniform(-math.pi, math.pi, 20)
    estimate = estimate_pose(similarities, positions, headings, 2.0, 0.2, 6.0)

    total, scatter, turns, near = 0.0, np.zeros((3, 3)), 0.0, 0.0
    for s, p, h in zip(similarities, positions, headings, strict=True):
        weight = math.exp((s - similarities[0]) / SIMILARITY_SCALE)
        total += weight
        offset = p - positions[0]
        for i in range(3):
            for j in range(3):
                scatter[i, j] += weight * offset[i] * offset[j]
        turn = abs(h - headings[0]) % math.tau
        turns += weight * min(turn, math.tau - turn) ** 2
        near += weight * (math.hypot(offset[0], offset[1]) <= SAME_PLACE)
    expected = scatter / total + (2.0**2 + 3.0**2) * np.eye(3)
    np.testing.assert_allclose(estimate.covariance[:3, :3], expected, rtol=1e-12)
    yaw_variance = min(0.2**2 + VIEW_SIGMA**2 + turns / total, UNKNOWN_YAW_VARIANCE)
    assert estimate.covariance[5, 5] == pytest.approx(yaw_variance)
    assert estimate.agreement == pytest.approx(near / total)


def test_look_alike_places_far_apart_make_the_pose_uncertain() -> None:
    positions = np.array([[0.0, 0, 0], [100.0, 0, 0]])
    headings = np.zeros(2)
    clear = estimate_pose(np.array([0.9, 0.5]), positions, headings, **single())
    torn = estimate_pose(np.array([0.9, 0.9]), positions, headings, **single())
    assert clear.position_sigma < 2.5
    assert clear.agreement > 0.999
    # Half of the weight lies 100 m away, all of it along x.
    assert torn.position_sigma == pytest.approx(math.sqrt(100.0**2 / 2 + 5.0))
    assert torn.covariance[1, 1] == pytest.approx(5.0)
    assert torn.agreement == pytest.approx(0.5)


def test_unknown_heading_is_identity_with_the_variance_of_ignorance() -> None:
    estimate = estimate_pose(
        np.array([0.9]), np.zeros((1, 3)), np.array([math.nan]), **single(heading_sigma=math.nan)
    )
    assert math.isnan(estimate.yaw)
    assert estimate.covariance[5, 5] == pytest.approx(math.pi**2)
    assert estimate.yaw_sigma == pytest.approx(math.pi)


def test_candidates_without_heading_do_not_disturb_those_with_one() -> None:
    similarities = np.array([0.9, 0.9])
    estimate = estimate_pose(similarities, np.zeros((2, 3)), np.array([1.0, math.nan]), **single())
    assert estimate.covariance[5, 5] == pytest.approx(0.1**2 + VIEW_SIGMA**2)


def test_headings_on_both_sides_of_pi_are_neighbours() -> None:
    headings = np.array([math.pi - 0.05, -math.pi + 0.05])
    estimate = estimate_pose(np.array([0.9, 0.9]), np.zeros((2, 3)), headings, **single())
    assert estimate.covariance[5, 5] == pytest.approx(0.1**2 + VIEW_SIGMA**2 + 0.1**2 / 2)


def test_what_the_map_does_not_know_counts_as_a_whole_place() -> None:
    estimate = estimate_pose(
        np.array([0.9]),
        np.zeros((1, 3)),
        np.zeros(1),
        **single(position_sigma=math.nan, spacing=math.nan),
    )
    assert estimate.covariance[0, 0] == pytest.approx(2 * SAME_PLACE**2)


@given(
    data=st.data(),
    count=st.integers(1, 12),
    position_sigma=sigma,
    heading_sigma=sigma,
    spacing=sigma,
)
def test_always_a_valid_pose(
    data: st.DataObject, count: int, position_sigma: float, heading_sigma: float, spacing: float
) -> None:
    similarities = np.sort(data.draw(hnp.arrays(float, count, elements=st.floats(-1, 1))))[::-1]
    positions = data.draw(hnp.arrays(float, (count, 3), elements=finite))
    headings = data.draw(hnp.arrays(float, count, elements=angle))
    estimate = estimate_pose(
        similarities, positions, headings, position_sigma, heading_sigma, spacing
    )
    covariance = estimate.covariance
    assert np.isfinite(covariance).all()
    np.testing.assert_array_equal(covariance, covariance.T)
    # Never zero: at least the floor, within rounding of the largest entry.
    smallest = np.linalg.eigvalsh(covariance[:3, :3])[0]
    assert smallest >= LEAST_POSITION_SIGMA**2 - 1e-12 * covariance.max()
    assert 0 < covariance[5, 5] <= UNKNOWN_YAW_VARIANCE
    assert np.isfinite(estimate.position).all()
    assert 0 < estimate.agreement <= 1.0


def test_candidates_agree_about_what_lies_within_25_m() -> None:
    similarities = np.array([0.9, 0.88, 0.88])
    positions = np.array([[0.0, 0.0, 0.0], [24.9, 0.0, 90.0], [0.0, 25.1, 0.0]])
    # exp(50 * -0.02) each for the two others; heights do not count.
    weights = np.exp([0.0, -1.0, -1.0])
    weights /= weights.sum()
    for position, expected in ((positions[0], weights[:2].sum()), (positions[2], weights[2])):
        assert candidates_agree(similarities, positions, position) == pytest.approx(expected)
    assert candidates_agree(similarities, positions, np.array([500.0, 0.0, 0.0])) == 0.0


@given(st.floats(-1e3, 1e3))
def test_wrapped_angles_point_the_same_way(value: float) -> None:
    wrapped = float(wrap_angle(np.array([value]))[0])
    assert -math.pi <= wrapped <= math.pi
    assert math.cos(wrapped - value) == pytest.approx(1.0)
