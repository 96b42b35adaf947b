from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.errors import MapError
from selavpr_core.place_map.alignment import MIN_AGREEING, TOLERANCE, align
from selavpr_core.place_map.frames import PlanarTransform


def road(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A winding road of `count` places 5 m apart, and the ways they face."""
    rng = np.random.default_rng(seed)
    headings = np.cumsum(rng.normal(0, 0.15, count))
    steps = 5 * np.stack([np.cos(headings), np.sin(headings), 0 * headings], axis=1)
    return np.cumsum(steps, axis=0), headings


@settings(max_examples=20, deadline=None)
@given(
    x=st.floats(-1e5, 1e5),
    y=st.floats(-1e5, 1e5),
    z=st.floats(-50, 50),
    yaw=st.floats(-3.1, 3.1),
    wrong=st.floats(0, 0.6),
    seed=st.integers(0, 99),
)
def test_a_transform_is_found_among_wrong_matches(
    x: float, y: float, z: float, yaw: float, wrong: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sources, headings = road(80, seed)
    move = PlanarTransform(x, y, z, yaw)
    targets = move.positions(sources) + rng.normal(0, 1, sources.shape)
    turned = move.headings(headings) + rng.normal(0, 0.2, 80)
    bad = rng.permutation(80)[: int(wrong * 80)]
    targets[bad] = move.positions(sources[rng.permutation(80)[: len(bad)]])
    turned[rng.permutation(80)[:10]] = np.nan
    found = align(sources, targets, headings, turned)
    left = found.transform.positions(sources) - move.positions(sources)
    assert np.abs(left).max() < 2.5
    assert math.remainder(found.transform.yaw - yaw, 2 * math.pi) == pytest.approx(0, abs=0.03)
    good = np.setdiff1d(np.arange(80), bad)
    assert found.agreeing[good].mean() > 0.9
    assert found.rms < TOLERANCE
    assert 0 < found.yaw_sigma < 0.05
    assert found.rival < 0.5 * found.agreeing.sum()


def test_the_same_matches_give_the_same_answer() -> None:
    sources, headings = road(60)
    first = align(sources, sources + 3.0, headings, headings)
    second = align(sources, sources + 3.0, headings, headings)
    assert first.transform == second.transform
    assert first.agreeing.all()


def test_matches_that_say_nothing_are_refused() -> None:
    rng = np.random.default_rng(0)
    sources, headings = road(60)
    anywhere = rng.uniform(-3000, 3000, sources.shape)
    with pytest.raises(MapError, match=f"{MIN_AGREEING} are needed"):
        align(sources, anywhere, headings, rng.uniform(-3, 3, 60))
    for count in (0, 1, MIN_AGREEING - 1):
        with pytest.raises(MapError, match="are needed"):
            align(sources[:count], sources[:count], headings[:count], headings[:count])


def test_a_share_too_small_is_refused() -> None:
    rng = np.random.default_rng(1)
    sources, headings = road(200)
    targets = rng.uniform(-3000, 3000, sources.shape)
    targets[:30] = sources[:30]
    with pytest.raises(MapError, match="only 30 of 200"):
        align(sources, targets, headings, headings)


def test_two_streets_that_look_alike_are_not_told_apart() -> None:
    """Half of the places match in one street, half in its twin 300 m on."""
    sources, headings = road(80)
    targets = sources.copy()
    targets[::2] += [300.0, 40.0, 0.0]
    with pytest.raises(MapError, match="too much alike"):
        align(sources, targets, headings, headings)


def test_places_in_one_spot_do_not_tell_the_direction() -> None:
    rng = np.random.default_rng(2)
    sources = rng.normal(0, 0.5, (64, 3))
    sources[:4, 0] += 25  # a few matches far enough to guess by
    with pytest.raises(MapError, match="too close together"):
        align(sources, sources, np.zeros(64), np.zeros(64))


def test_opposite_headings_do_not_agree() -> None:
    """The same spots, seen on the way back: the matches cannot be right."""
    sources, headings = road(60)
    with pytest.raises(MapError, match="are needed"):
        align(sources, sources, headings, headings + math.pi)
