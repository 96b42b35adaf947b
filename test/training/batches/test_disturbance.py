from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.batches import disturbance
from training.batches.disturbance import Disturbance

SIZE = (56, 70)
SMOOTH = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8), (0, 0), 2
)
CHANCES = ("_COVERED", "_BLURRED", "_SHAKEN", "_NOISY", "_COMPRESSED")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def disturb() -> Disturbance:
    return Disturbance(SIZE)


def only(monkeypatch: pytest.MonkeyPatch, chance: str) -> None:
    """Let one of the ways happen always and the others never."""
    for name in CHANCES:
        monkeypatch.setattr(disturbance, name, 1.0 if name == chance else 0.0)


def test_without_strength_an_image_stays(disturb: Disturbance) -> None:
    for seed in range(20):
        assert np.array_equal(disturb(SMOOTH, 0.0, generator(seed)), SMOOTH)


def test_the_generator_alone_decides_and_the_image_is_left_alone(disturb: Disturbance) -> None:
    before = SMOOTH.copy()
    results = [disturb(SMOOTH, 1.0, generator(seed)) for seed in range(30)]
    another = Disturbance(SIZE)  # as in another process
    again = [another(SMOOTH, 1.0, generator(seed)) for seed in range(30)]
    assert all(np.array_equal(a, b) for a, b in zip(results, again, strict=True))
    assert 15 < len({result.tobytes() for result in results}) <= 30
    assert {(result.shape, result.dtype.name) for result in results} == {((*SIZE, 3), "uint8")}
    assert np.array_equal(SMOOTH, before)


def test_boxes_cover_a_part(disturb: Disturbance, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "_COVERED")
    for seed in range(40):
        changed = np.any(disturb(SMOOTH, 1.0, generator(seed)) != SMOOTH, axis=2)
        assert 0 < changed.mean() <= 3 * 0.35**2


def test_noise_is_as_strong_as_it_says(
    disturb: Disturbance, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "_NOISY")
    grey = np.full((*SIZE, 3), 128, np.uint8)
    noises = [disturb(grey, 1.0, generator(seed)).astype(float) - 128 for seed in range(60)]
    deviations = [noise.std() for noise in noises]
    assert 1.5 < min(deviations) < 6
    assert 20 < max(deviations) < 26
    assert max(abs(noise.mean()) for noise in noises) < 1
    # Neighbouring pixels and colours have nothing to do with each other.
    noise = max(noises, key=np.std)
    for first, second in (
        (noise[:, 1:], noise[:, :-1]),
        (noise[1:], noise[:-1]),
        (noise[..., 1:], noise[..., :-1]),
    ):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def detail(rgb: np.ndarray) -> float:
    """Return how much neighbouring pixels differ."""
    values = rgb.astype(float)
    return sum(float(np.abs(np.diff(values, axis=axis)).mean()) for axis in (0, 1))


@pytest.mark.parametrize("chance", ["_BLURRED", "_SHAKEN"])
def test_blur_takes_detail_and_no_light(
    disturb: Disturbance, monkeypatch: pytest.MonkeyPatch, chance: str
) -> None:
    only(monkeypatch, chance)
    kept = []
    for seed in range(20):
        result = disturb(SMOOTH, 1.0, generator(seed))
        assert detail(result) <= detail(SMOOTH)
        assert abs(result.mean() - SMOOTH.mean()) < 1
        kept.append(detail(result) / detail(SMOOTH))
    assert min(kept) < 0.75


def test_compression_keeps_colours_in_their_order(
    disturb: Disturbance, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "_COMPRESSED")
    red = np.broadcast_to(np.array([200, 60, 20], np.uint8), (*SIZE, 3)).copy()
    for seed in range(20):
        result = disturb(red, 1.0, generator(seed)).reshape(-1, 3).mean(axis=0)
        assert np.abs(result - [200, 60, 20]).max() < 12
    errors = [np.abs(disturb(SMOOTH, 1.0, generator(n)).astype(int) - SMOOTH) for n in range(20)]
    assert 0 < min(error.mean() for error in errors) < max(error.mean() for error in errors) / 2


def test_images_of_a_pixel_survive() -> None:
    disturb = Disturbance((1, 1))
    pixel = np.full((1, 1, 3), 100, np.uint8)
    for seed in range(40):
        assert disturb(pixel, 1.0, generator(seed)).shape == (1, 1, 3)
