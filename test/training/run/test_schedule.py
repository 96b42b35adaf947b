from __future__ import annotations

import math

import pytest

from training.run.config import OptimizerConfig
from training.run.schedule import learning_rate


def test_the_published_schedule_halves_exactly() -> None:
    config = OptimizerConfig(learning_rate=3e-4, halve_every=2)
    rates = [learning_rate(config, 10 * epoch + 1, epoch, 60) for epoch in range(6)]
    assert rates == [3e-4, 3e-4, 3e-4 / 2, 3e-4 / 2, 3e-4 / 4, 3e-4 / 4]


def test_a_cosine_falls_from_the_warmup_to_nothing() -> None:
    config = OptimizerConfig(learning_rate=2.0, schedule="cosine", warmup=4)
    rates = [learning_rate(config, step, 0, 24) for step in range(1, 25)]
    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates[4:] == pytest.approx([1 + math.cos(math.pi * n / 20) for n in range(20)])
    assert 0 < rates[-1] < 0.02
    # Steps that nobody planned for do not rise again.
    assert learning_rate(config, 40, 9, 24) == 0


def test_a_warmup_comes_before_the_halving_too() -> None:
    config = OptimizerConfig(learning_rate=1.0, halve_every=1, warmup=4)
    assert [learning_rate(config, step, step // 4, 99) for step in (1, 4, 5, 8)] == [
        0.25,
        1.0,
        0.5,
        0.25,
    ]


def test_a_run_may_be_all_warmup() -> None:
    config = OptimizerConfig(learning_rate=1.0, schedule="cosine", warmup=8)
    assert [learning_rate(config, step, 0, 4) for step in (2, 4)] == [0.25, 0.5]
