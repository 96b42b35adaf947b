from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from training.run.muon import Muon, orthogonal


def optimizer(matrix: nn.Parameter, bias: nn.Parameter, far: float = 2.0) -> Muon:
    groups = [{"params": [bias], "weight_decay": 0.0}]
    return Muon([matrix], far, groups, lr=0.01, weight_decay=0.5, betas=(0.9, 0.95), fused=False)


def parameters() -> tuple[nn.Parameter, nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return (
        nn.Parameter(torch.randn(24, 8, generator=generator)),
        nn.Parameter(torch.randn(8, generator=generator)),
    )


def gradients(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(24, 8, generator=generator), torch.randn(8, generator=generator)


def steps(muon: Muon, matrix: nn.Parameter, bias: nn.Parameter, numbers: range) -> None:
    for number in numbers:
        matrix.grad, bias.grad = gradients(number)
        muon.step()


@settings(deadline=None, max_examples=50)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(0, 99), st.floats(-6, 6))
def test_an_orthogonal_direction_keeps_the_singular_vectors(
    shape: tuple[int, int], seed: int, exponent: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(max(shape), min(shape), generator=generator))
    right, _ = torch.linalg.qr(torch.randn(min(shape), min(shape), generator=generator))
    values = torch.logspace(0, -1.5, min(shape)) * 10**exponent
    matrix = (left * values) @ right.T
    if shape[0] < shape[1]:
        matrix, left, right = matrix.T, right, left
    direction = orthogonal(matrix)
    assert direction.shape == matrix.shape
    assert direction.dtype == matrix.dtype
    turned = left.T @ direction @ right
    equal = turned.diagonal()
    assert (equal > 0.5).all()
    assert (equal < 1.3).all()
    assert (turned - torch.diag(equal)).abs().max() < 0.1  # bfloat16


def test_no_gradient_is_no_direction() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no Muon")
def test_steps_are_those_of_pytorchs_own() -> None:
    matrix, bias = parameters()
    own = optimizer(matrix, bias)
    other, other_bias = parameters()
    theirs = torch.optim.Muon(
        [other], lr=0.02, weight_decay=0.25, ns_steps=4, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW([other_bias], lr=0.01, weight_decay=0.0, betas=(0.9, 0.95))
    for number in range(5):
        steps(own, matrix, bias, range(number, number + 1))
        other.grad, other_bias.grad = gradients(number)
        theirs.step()
        adamw.step()
        torch.testing.assert_close(matrix, other, rtol=1e-3, atol=2e-4)
        assert torch.equal(bias, other_bias)


def test_it_goes_on_from_its_state() -> None:
    matrix, bias = parameters()
    unbroken = optimizer(matrix, bias)
    steps(unbroken, matrix, bias, range(3))
    saved = copy.deepcopy(unbroken.state_dict())
    again, again_bias = (nn.Parameter(p.detach().clone()) for p in (matrix, bias))
    resumed = optimizer(again, again_bias)
    resumed.load_state_dict(saved)
    for muon in (unbroken, resumed):
        for group in muon.param_groups:
            group["lr"] = 0.003  # reaches both kinds of steps
    before = bias.detach().clone()
    steps(unbroken, matrix, bias, range(3, 6))
    steps(resumed, again, again_bias, range(3, 6))
    assert torch.equal(matrix, again)
    assert torch.equal(bias, again_bias)
    assert 0 < (bias - before).abs().max() < 0.02
    assert len(saved["param_groups"]) == 2
    assert len(saved["state"]) == 2


def test_what_has_no_gradient_stays() -> None:
    matrix, bias = parameters()
    muon = optimizer(matrix, bias)
    before = matrix.detach().clone()
    bias.grad = gradients(0)[1]
    muon.step()
    assert torch.equal(matrix, before)
    assert not muon.state[matrix]
