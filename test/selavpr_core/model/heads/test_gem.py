from __future__ import annotations

import pytest
import torch

from selavpr_core.model.heads import GeM, GeMHead


def test_gem_is_the_generalised_mean() -> None:
    tokens = torch.rand(2, 5, 3, dtype=torch.float64)
    gem = GeM(p=2.5).double()
    for image, pooled in zip(tokens, gem(tokens), strict=True):
        for channel in range(3):
            values = [max(v, 1e-6) ** 2.5 for v in image[:, channel].tolist()]
            assert pooled[channel].item() == pytest.approx((sum(values) / 5) ** (1 / 2.5))


def test_gem_clamps_what_is_not_positive() -> None:
    pooled = GeM()(torch.tensor([[[-1.0], [0.0]]]))
    assert pooled.item() == pytest.approx(1e-6, rel=1e-3)


def test_a_head_normalises_patches_pools_and_normalises() -> None:
    head = GeMHead(8, 5)
    tokens = torch.randn(2, 6, 8)
    with torch.no_grad():
        features = head.linear1(tokens)
        features = features / features.norm(dim=2, keepdim=True)
        expected = head.linear2(features.clamp(min=1e-6).pow(3).mean(1).pow(1 / 3))
        expected = expected / expected.norm(dim=1, keepdim=True)
        torch.testing.assert_close(head(tokens, (2, 3)), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_head_answers_in_float32_whatever_it_gets(dtype: torch.dtype) -> None:
    """The cube of the clamp is zero in half precision: its gradient and its root are not."""
    head = GeMHead(8, 5)
    head.linear1.weight.data.abs_().neg_()  # all features negative: every channel is clamped
    head.linear1.bias.data.zero_()
    with torch.autocast("cpu", torch.bfloat16):
        vector = head(torch.rand(1, 4, 8).to(dtype), (2, 2))
    assert vector.dtype == torch.float32
    assert torch.isfinite(vector).all()
    vector.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def test_the_exponent_learns() -> None:
    head = GeMHead(8, 5)
    head(torch.randn(3, 4, 8), (2, 2))[:, 0].sum().backward()
    assert head.gem.p.grad.abs().item() > 0
