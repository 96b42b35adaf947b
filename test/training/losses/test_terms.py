from __future__ import annotations

import pytest
import torch

from training.losses.terms import full_precision


@pytest.mark.parametrize(
    ("given", "computed"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_computed_in_float32_and_more_stays_as_it_is(
    given: torch.dtype, computed: torch.dtype
) -> None:
    vectors = torch.eye(3, 5).to(given).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(vectors) as whole:
        assert whole.dtype == computed
        similarities = whole @ whole.T  # what autocast would compute in bfloat16
        assert similarities.dtype == computed
        assert torch.is_autocast_enabled("cpu") is False
    similarities.sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.dtype == given


def test_autocast_goes_on_afterwards_even_after_an_error() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(ZeroDivisionError), full_precision(torch.eye(2)):
            raise ZeroDivisionError
        assert (torch.eye(2) @ torch.eye(2)).dtype == torch.bfloat16
