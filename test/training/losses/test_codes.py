from __future__ import annotations

import pytest
import torch

from training.losses.codes import sign, straight_through_sign

FEATURES = [-3.0, -1e-9, -0.0, 0.0, 1e-9, 3.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("to_codes", [sign, straight_through_sign])
def test_zero_is_positive_and_the_dtype_stays(to_codes: object, dtype: torch.dtype) -> None:
    assert callable(to_codes)
    features = torch.tensor([-3.0, -0.5, -0.0, 0.0, 0.5, 3.0], dtype=dtype)
    codes = to_codes(features)
    assert codes.dtype == dtype
    assert codes.tolist() == [-1, -1, 1, 1, 1, 1]


def test_the_gradient_passes_unchanged_wherever_the_feature_lies() -> None:
    features = torch.tensor(FEATURES, requires_grad=True)
    gradient = torch.tensor([1.0, -2.0, 3.0, 0.0, 1e6, -1e-6])
    straight_through_sign(features).backward(gradient)
    assert features.grad is not None
    assert torch.equal(features.grad, gradient)


def test_the_plain_sign_has_no_gradient() -> None:
    assert not sign(torch.tensor(FEATURES, requires_grad=True)).requires_grad


def test_what_is_not_a_number_does_not_become_a_code() -> None:
    assert sign(torch.tensor([torch.nan, 1.0])).isnan().tolist() == [True, False]
