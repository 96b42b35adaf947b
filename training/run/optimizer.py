"""The optimizer of a run."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from training.run.config import OptimizerConfig

# A second moment of the last twenty steps follows gradients that shrink fast, as in short runs.
_BETAS = (0.9, 0.95)


def make_optimizer(
    config: OptimizerConfig, parameters: Sequence[nn.Parameter], fused: bool
) -> Optimizer:
    """Return Adam for "halving", and AdamW for "cosine".

    AdamW decays matrices and kernels alone: biases and scales are no weights.
    """
    if config.schedule == "halving":
        return Adam(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused
        )
    weights = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=config.learning_rate, betas=_BETAS, fused=fused)
