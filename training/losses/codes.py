"""Features to codes, with and without a gradient."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def sign(features: Tensor) -> Tensor:
    """Return +1 where a feature is at least 0, else -1, without a gradient; same shape and dtype.

    What is not a number stays so: a diverged network must not look like a code.
    """
    features = features.detach()
    signs = torch.ones_like(features).masked_fill_(features < 0, -1.0)
    return signs.masked_fill_(features.isnan(), torch.nan)


def straight_through_sign(features: Tensor) -> Tensor:
    """Return the sign, with the gradient of the identity (straight-through estimator).

    The gradient is not clipped, wherever the feature lies.
    """
    codes: Tensor = _StraightThrough.apply(features)
    return codes


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor) -> Tensor:
        return sign(features)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return gradient
