"""The optimizer of a run."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from training.run.config import OptimizerConfig
from training.run.muon import Muon

# A second moment of the last twenty steps follows gradients that shrink fast, as in short runs.
_BETAS = (0.9, 0.95)


def make_optimizer(
    config: OptimizerConfig,
    parameters: Sequence[nn.Parameter],
    blocks: nn.Module,
    fused: bool,
) -> Optimizer:
    """Return Adam for "halving", and AdamW for "cosine", beside Muon where that is wanted.

    AdamW decays matrices and kernels alone: biases and scales are no weights. blocks: of the
    backbone, whose matrices Muon moves.
    """
    if config.schedule == "halving":
        return Adam(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused
        )
    inside = {id(matrix) for matrix in blocks.parameters() if matrix.ndim == 2}
    matrices = [p for p in parameters if config.muon is not None and id(p) in inside]
    taken = {id(matrix) for matrix in matrices}
    weights = [p for p in parameters if p.ndim > 1 and id(p) not in taken]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    rate, decay = config.learning_rate, config.weight_decay
    if config.muon is not None and matrices:
        return Muon(matrices, config.muon, groups, rate, decay, _BETAS, fused)
    return AdamW(groups, lr=rate, betas=_BETAS, fused=fused)
