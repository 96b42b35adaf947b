"""The learning rate of each step."""

from __future__ import annotations

import math

from training.run.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, step: int, epoch: int, steps: int) -> float:
    """Return the learning rate of an optimizer step.

    It depends on nothing else, so that a run that goes on needs no state of it. step: from 1, over
    all epochs. epoch: from 0. steps: of all epochs together, where "cosine" ends.
    """
    rate = config.learning_rate
    if step <= config.warmup:
        return rate * step / config.warmup
    if config.schedule == "halving":
        return rate * 0.5 ** (epoch // config.halve_every)
    done = (step - 1 - config.warmup) / max(steps - config.warmup, 1)
    return rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
