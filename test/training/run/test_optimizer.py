from __future__ import annotations

import pytest
import torch
from torch import nn

from training.run.config import OptimizerConfig
from training.run.optimizer import make_optimizer


def stepped(config: OptimizerConfig, gradient: float) -> tuple[nn.Parameter, nn.Parameter]:
    """A matrix and a bias of ones after one step."""
    weight, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimizer = make_optimizer(config, [weight, bias], fused=False)
    for parameter in (weight, bias):
        parameter.grad = torch.full_like(parameter, gradient)
    optimizer.step()
    return weight, bias


def test_a_cosine_goes_with_decay_of_weights_beside_the_gradient() -> None:
    config = OptimizerConfig(schedule="cosine", learning_rate=0.1, weight_decay=0.5)
    weight, bias = stepped(config, 0.0)
    assert torch.allclose(weight, torch.full((2, 2), 1 - 0.1 * 0.5))
    assert torch.equal(bias, torch.ones(2))


def test_halving_goes_with_the_published_optimizer() -> None:
    weight, bias = stepped(OptimizerConfig(learning_rate=0.1, weight_decay=0.5), 0.0)
    # In the gradient, and so as long as any other first step of Adam.
    assert weight[0, 0].item() == pytest.approx(0.9)
    assert bias[0].item() == pytest.approx(0.9)
