from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from training.run.config import OptimizerConfig
from training.run.muon import Muon, orthogonal
from training.run.optimizer import make_optimizer


@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (8, 32)])
def test_an_orthogonal_matrix_keeps_the_directions_and_forgets_their_lengths(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.diagonal(left.T @ orthogonal(matrix) @ right.T)
    assert ((values > 0.6) & (values < 1.3)).all()
    # A thousand times the gradient is the same direction.
    assert torch.allclose(orthogonal(matrix), orthogonal(1024 * matrix), atol=2e-2)


def test_a_matrix_of_zeros_stays_one() -> None:
    assert torch.equal(orthogonal(torch.zeros(4, 4)), torch.zeros(4, 4))


def test_a_step_is_as_large_as_one_of_adam() -> None:
    block = nn.Linear(64, 64, bias=False)
    before = block.weight.detach().clone()
    config = OptimizerConfig(schedule="cosine", muon=True, learning_rate=0.01)
    optimizer = make_optimizer(config, [block.weight], block, fused=False)
    block.weight.grad = torch.randn(64, 64, generator=torch.Generator().manual_seed(2))
    optimizer.step()
    moved = (block.weight.detach() - before).square().mean().sqrt().item()
    assert moved == pytest.approx(0.2 * 0.01, rel=0.15)


def test_what_is_no_matrix_of_a_block_is_stepped_by_adamw() -> None:
    torch.manual_seed(3)
    block, head = nn.Linear(6, 6), nn.Linear(6, 4)
    other_head, other_bias = copy.deepcopy(head), copy.deepcopy(block.bias)
    config = OptimizerConfig(schedule="cosine", muon=True, learning_rate=0.01, weight_decay=0.1)
    parameters = [*block.parameters(), *head.parameters()]
    ours = make_optimizer(config, parameters, block, fused=False)
    theirs = AdamW(
        [
            {"params": [other_head.weight], "weight_decay": 0.1},
            {"params": [other_bias, other_head.bias], "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    for _ in range(3):
        for parameter in [*parameters, *other_head.parameters(), other_bias]:
            parameter.grad = torch.full_like(parameter, 0.5)
        ours.step()
        theirs.step()
    assert torch.equal(head.weight, other_head.weight)
    assert torch.equal(head.bias, other_head.bias)
    assert torch.equal(block.bias, other_bias)


def test_muon_finds_a_least_squares_solution_and_goes_on_from_its_state() -> None:
    generator = torch.Generator().manual_seed(4)
    wanted, inputs = (torch.randn(8, 8, generator=generator) for _ in range(2))

    def trained(steps: int, interrupted: bool) -> torch.Tensor:
        weight = nn.Parameter(torch.zeros(8, 8))
        optimizer = Muon([weight], [], 0.05, 0.0)
        for step in range(steps):
            if interrupted and step == steps // 2:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = Muon([weight], [], 0.05, 0.0)
                optimizer.load_state_dict(state)
            optimizer.param_groups[-1]["lr"] = 0.2 * (1 - step / steps)
            optimizer.zero_grad()
            ((inputs @ weight - inputs @ wanted) ** 2).mean().backward()
            optimizer.step()
        return weight.detach()

    through = trained(300, interrupted=False)
    assert torch.equal(through, trained(300, interrupted=True))
    assert (inputs @ (through - wanted)).abs().mean() < 0.1 * (inputs @ wanted).abs().mean()
