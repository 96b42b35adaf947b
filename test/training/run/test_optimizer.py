from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from training.run.config import OptimizerConfig
from training.run.optimizer import make_optimizer


def stepped(config: OptimizerConfig, gradient: float) -> tuple[nn.Parameter, nn.Parameter]:
    """A matrix and a bias of ones after one step."""
    weight, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimizer = make_optimizer(config, [weight, bias], nn.Module(), fused=False)
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


def test_muon_moves_the_matrices_of_the_blocks_alone() -> None:
    block, head = nn.Linear(3, 4), nn.Linear(4, 2)
    parameters = [*block.parameters(), *head.parameters()]
    config = OptimizerConfig(schedule="cosine", learning_rate=0.1, weight_decay=0.5, muon=2)
    optimizer = make_optimizer(config, parameters, block, fused=False)
    groups = [{id(p) for p in group["params"]} for group in optimizer.param_groups]
    assert groups == [{id(block.weight)}, {id(head.weight)}, {id(block.bias), id(head.bias)}]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("muon", [None, 2.0])
def test_blocks_that_are_not_trained_need_no_muon(muon: float | None) -> None:
    config = OptimizerConfig(schedule="cosine", muon=muon)
    head = nn.Linear(4, 2)
    optimizer = make_optimizer(config, list(head.parameters()), nn.Linear(3, 4), fused=False)
    assert type(optimizer) is AdamW
