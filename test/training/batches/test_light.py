from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batches.light import _illumination, _saturation, _tones, relit

RGB = np.random.default_rng(0).integers(0, 256, (28, 42, 3), dtype=np.uint8)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_strength_an_image_stays_bit_for_bit() -> None:
    for seed in range(10):
        assert np.array_equal(relit(RGB, 0.0, generator(seed)), RGB)


def test_the_generator_alone_decides_and_the_image_is_left_alone() -> None:
    before = RGB.copy()
    results = [relit(RGB, 1.0, generator(seed)) for seed in range(10)]
    again = [relit(RGB, 1.0, generator(seed)) for seed in range(10)]
    assert all(np.array_equal(a, b) for a, b in zip(results, again, strict=True))
    assert len({result.tobytes() for result in results}) == 10
    assert np.array_equal(RGB, before)


@pytest.mark.parametrize("seed", range(6))
def test_the_parts_in_plain_loops(seed: int) -> None:
    rgb = RGB[:, :28].copy()  # as many pixels as the field has nodes: nothing between them
    random = generator(seed)
    field, tones, mix = _illumination(1.0, random), _tones(1.0, random), _saturation(1.0, random)
    expected = np.empty(rgb.shape)
    for row in range(28):
        for column in range(28):
            lit = [
                min(255, round(float(rgb[row, column, c]) * float(field[row, column, c])))
                for c in range(3)
            ]
            toned = [float(tones[lit[c], c]) for c in range(3)]
            for c in range(3):
                mixed = sum(float(mix[c, k]) * toned[k] for k in range(3))
                expected[row, column, c] = min(255, max(0, mixed))
    assert np.abs(relit(rgb, 1.0, generator(seed)) - expected).max() <= 1


@settings(max_examples=60, deadline=None)
@given(strength=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_light_is_smooth_and_never_out(strength: float, seed: int) -> None:
    field = _illumination(strength, generator(seed))
    assert field.shape == (28, 28, 3)
    assert field.min() > np.exp(-5 * strength) * 0.99
    logs = np.log(field)
    for axis in (0, 1):  # the edge of a shadow at its sharpest lies between two nodes
        assert np.abs(np.diff(logs, axis=axis)).max() <= 2.0 * strength + 1e-6


@settings(max_examples=60, deadline=None)
@given(strength=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_brighter_stays_brighter(strength: float, seed: int) -> None:
    tones = _tones(strength, generator(seed)).astype(int)
    assert np.all(np.diff(tones, axis=0) >= 0)
    # However dark and pale it gets, something can be told apart.
    assert np.all(tones[255] - tones[0] >= 255 * np.exp(-1.35 * strength) - 1)


def test_some_images_lose_their_colour_and_greys_keep_theirs() -> None:
    mixes = [_saturation(1.0, generator(seed)) for seed in range(200)]
    for mix in mixes:
        np.testing.assert_allclose(mix.sum(axis=1), 1.0, atol=1e-6)
    without = sum(bool(np.allclose(mix, mix[0])) for mix in mixes)
    assert 10 <= without <= 60
