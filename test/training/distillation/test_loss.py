from __future__ import annotations

import math

import pytest
import torch

from training.distillation import distillation_losses


def one_minus_cosine(a: list[float], b: list[float]) -> float:
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return 1 - product / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_a_loss_is_one_minus_the_mean_cosine() -> None:
    torch.manual_seed(0)
    predicted, target = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    expected = []
    for image in range(3):
        vectors = [x[image].tolist() for x in (predicted, target)]
        costs = [one_minus_cosine(a, b) for a, b in zip(*vectors, strict=True)]
        expected.append(sum(costs) / len(costs))
    losses = distillation_losses(predicted, target)
    assert losses.tolist() == pytest.approx(expected, abs=1e-6)
    assert distillation_losses(target * 3, target).tolist() == pytest.approx([0] * 3, abs=1e-6)


def test_a_loss_is_computed_in_float32_whatever_surrounds_it() -> None:
    torch.manual_seed(0)
    predicted = torch.randn(2, 4, 64, requires_grad=True)
    target = predicted.detach() + 0.01 * torch.randn(2, 4, 64)  # bfloat16 knows no such difference
    with torch.autocast("cpu", torch.bfloat16):
        losses = distillation_losses(predicted, target)
    assert torch.equal(losses, distillation_losses(predicted, target))
    assert losses.dtype == torch.float32
    assert 1e-6 < losses.mean().item() < 1e-3
    half = predicted.detach().bfloat16()
    assert distillation_losses(half, target).dtype == torch.float32
