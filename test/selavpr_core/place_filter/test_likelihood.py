from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.place_filter.likelihood import MISSED, MOST, excesses, likelihood_ratios


@settings(deadline=None)  # the first call may be slow
@given(st.floats(0.01, 5), st.floats(-2, 2), st.integers(0, 100))
def test_excesses_know_no_scale_and_no_offset_of_similarities(
    scale: float, offset: float, seed: int
) -> None:
    similarities = np.random.default_rng(seed).exponential(0.1, 100)
    np.testing.assert_allclose(
        excesses(scale * similarities + offset), excesses(similarities), rtol=1e-6, atol=1e-9
    )


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


def test_ratios_of_wrong_places_are_one_on_average() -> None:
    # The definition of a likelihood ratio: its mean over what it is held against is one.
    places = 20_000
    similarities = np.sort(np.random.default_rng(2).exponential(0.05, (300, places)), axis=1)
    means = []
    for row in similarities:
        ratios = likelihood_ratios(excesses(row[-100:]), places)
        means.append((ratios.sum() + MISSED * (places - 100)) / places)
    assert np.mean(means) == pytest.approx(1.0, abs=0.15)
