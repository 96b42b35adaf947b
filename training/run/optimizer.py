"""The optimizer of a run."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from training.errors import ConfigError
from training.run.config import OptimizerConfig
from training.run.muon import Muon


def make_optimizer(
    config: OptimizerConfig, parameters: Sequence[nn.Parameter], blocks: nn.Module, fused: bool
) -> Optimizer:
    """Return Adam for "halving", and AdamW for "cosine", with Muon in the blocks if asked for.

    blocks: of the backbone; Muon is for their matrices alone.
    AdamW and Muon decay matrices and kernels alone: biases and scales are no weights.
    Raises ConfigError where Muon has nothing to do.
    """
    if config.schedule == "halving":
        return Adam(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused
        )
    in_blocks = {id(parameter) for parameter in blocks.parameters()}
    matrices, weights, others = [], [], []
    for parameter in parameters:
        if parameter.ndim <= 1:
            others.append(parameter)
        elif config.muon and parameter.ndim == 2 and id(parameter) in in_blocks:
            matrices.append(parameter)
        else:
            weights.append(parameter)
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if not config.muon:
        return AdamW(groups, lr=config.learning_rate, fused=fused)
    if not matrices:
        raise ConfigError(
            "optimizer.muon steps the matrices of the backbone's blocks, and none of them is "
            "trained: leave it out, or train them (model.strategy=full)"
        )
    return Muon(matrices, groups, config.learning_rate, config.weight_decay)
