from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.place_filter.likelihood import (
    ALIKE,
    MISSED,
    MOST,
    RIGHT_SCALE,
    RIGHT_SHAPE,
    excesses,
    likelihood_ratios,
    standing_out,
)


@settings(deadline=None)  # the first call may be slow
@given(st.floats(0.01, 5), st.floats(-2, 2), st.integers(0, 100))
def test_excesses_know_no_scale_and_no_offset_of_similarities(
    scale: float, offset: float, seed: int
) -> None:
    similarities = np.random.default_rng(seed).exponential(0.1, 100)
    np.testing.assert_allclose(
        excesses(scale * similarities + offset), excesses(similarities), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("count", [8, 9, 37, 100])
def test_the_level_and_scales_are_quantiles(count: int) -> None:
    similarities = np.random.default_rng(count).exponential(0.1, count)
    level, upper, top = np.quantile(similarities, (0.5, 0.75, 0.875))
    lower_scale = (upper - level) / math.log(2)
    upper_scale = min((top - upper) / math.log(2), lower_scale)
    for similarity, above in zip(similarities, excesses(similarities), strict=True):
        if similarity < upper:
            expected = max(similarity - level, 0.0) / lower_scale
        else:
            expected = math.log(2) + (similarity - upper) / upper_scale
        assert above == pytest.approx(min(expected, MOST), rel=1e-9, abs=1e-9)


def test_an_exponential_tail_has_scale_one() -> None:
    tail = np.random.default_rng(0).exponential(0.05, 100_000)
    above = excesses(tail)
    assert above[above > 0].mean() == pytest.approx(1.0, rel=0.03)


def test_some_right_places_among_the_candidates_hardly_change_what_the_others_count() -> None:
    wrong = np.random.default_rng(1).exponential(0.05, 90)
    both = np.concatenate([wrong, np.full(10, 3.0)])
    ratio = excesses(both)[:90].max() / excesses(wrong).max()
    assert 0.5 < ratio <= 1.1


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 100])
def test_equal_similarities_say_nothing(count: int) -> None:
    above = excesses(np.full(count, 0.4))
    assert above.shape == (count,)
    assert not above.any()


def test_ratios_grow_with_the_excess_and_stay_finite() -> None:
    excess = np.linspace(0, MOST, 50)
    ratios = likelihood_ratios(excess, 10_000)
    assert ratios[0] == MISSED
    assert np.all(np.diff(ratios) > 0)
    assert np.isfinite(ratios).all()


def wrong_excesses(rng: np.random.Generator, count: int) -> np.ndarray:
    """Of wrong places above the level: exponential, but for a share that stands out as right."""
    alike = rng.gamma(RIGHT_SHAPE, RIGHT_SCALE, count)
    return np.where(rng.random(count) < ALIKE, alike, rng.exponential(1.0, count))


def test_ratios_of_wrong_places_are_one_on_average() -> None:
    # The definition of a likelihood ratio: its mean over what it is held against is one.
    rng = np.random.default_rng(2)
    means = []
    for _ in range(2000):
        excess = np.concatenate([np.zeros(50), wrong_excesses(rng, 50)])
        means.append((likelihood_ratios(excess, 1000).sum() + MISSED * 900) / 1000)
    assert np.mean(means) == pytest.approx(1.0, abs=0.05)


def test_a_scale_found_from_few_similarities_makes_evidence_stronger_by_less_than_half() -> None:
    rng = np.random.default_rng(2)
    means = []
    for _ in range(2000):
        similarities = 0.3 + 0.05 * np.concatenate([-rng.random(50), wrong_excesses(rng, 50)])
        ratios = likelihood_ratios(excesses(similarities), 1000)
        means.append((ratios.sum() + MISSED * 900) / 1000)
    assert 0.8 < np.mean(means) < 1.5


def test_ratios_are_those_of_the_densities() -> None:
    excess = np.array([0.0, 0.5, 2.0, 5.0, 12.0, 30.0])
    above = 5 / 1000  # of the places of the map
    for found, z in zip(likelihood_ratios(excess, 1000), excess, strict=True):
        right = z**2 * math.exp(-z / 2.0) / 16.0
        wrong = (1.0 - ALIKE) * math.exp(-z) + ALIKE * right
        assert found == pytest.approx(MISSED + (1.0 - MISSED) * right / (above * wrong))
    for found, z in zip(standing_out(excess), excess, strict=True):
        assert found == pytest.approx(z**2 * math.exp(z / 2.0) / 16.0)


def test_no_single_image_is_proof() -> None:
    # However much a place stands out, look-alikes do, too.
    assert likelihood_ratios(np.array([MOST]), 10_000)[0] < 10_000 / ALIKE


def test_right_places_among_the_upper_ones_do_not_widen_the_tail() -> None:
    wrong = np.random.default_rng(1).exponential(0.05, 80)
    both = np.concatenate([wrong, np.full(20, 3.0)])
    assert excesses(both)[80:].min() > 20.0


def test_a_tail_that_falls_faster_farther_up_counts_by_how_it_falls_there() -> None:
    # The upper half of a normal distribution: among 50 of its values the largest is no rarity.
    similarities = np.abs(np.random.default_rng(3).normal(0.0, 0.1, (200, 100)))
    largest = [excesses(row).max() for row in similarities]
    assert np.mean(largest) > -math.log(1.0 / 50.0)
