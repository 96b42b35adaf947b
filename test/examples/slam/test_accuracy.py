from __future__ import annotations

import numpy as np

from examples.slam.accuracy import accuracy, aligned
from examples.slam.track import moved

RNG = np.random.default_rng(5)
TRUTH = np.column_stack([RNG.uniform(-50, 50, (40, 2)), RNG.uniform(-3, 3, 40)])


def test_a_track_in_another_frame_is_not_wrong() -> None:
    elsewhere = moved(np.array([10.0, -70.0, 2.0]), TRUTH)
    error = accuracy(elsewhere, TRUTH)
    assert error.largest < 1e-9
    assert error.yaw_rms < 1e-9


def test_scale_is_not_aligned_away() -> None:
    larger = TRUTH * [1.1, 1.1, 1.0]
    spread = np.hypot(*(TRUTH[:, :2] - TRUTH[:, :2].mean(axis=0)).T)
    assert np.isclose(accuracy(larger, TRUTH).rms, 0.1 * np.sqrt((spread**2).mean()))


def test_no_turn_or_shift_is_better() -> None:
    noisy = TRUTH + RNG.normal(0, 3, TRUTH.shape)
    best = accuracy(noisy, TRUTH).rms
    placed = aligned(noisy, TRUTH)
    for yaw in (-0.01, 0.0, 0.01):
        for x in (-0.2, 0.0, 0.2):
            left = moved(np.array([x, 0.1, yaw]), placed)[:, :2] - TRUTH[:, :2]
            assert np.sqrt((left**2).sum(axis=1).mean()) >= best
