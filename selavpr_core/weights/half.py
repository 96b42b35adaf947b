"""Weights in half the space: float16 for the tensors that lose nothing by it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# Rounding to float16 changes a number by at most this share, unless it is too small or too large.
_ROUNDING = 2.0**-11


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict whose matrices and kernels are float16 where that only rounds them.

    Matrices and kernels are summed over, so each of their rows (the first dimension) is held
    against its own length: where rounding moves one by more than 2^-11 of it, because its numbers
    are too small or too large for float16, the tensor stays float32. Vectors stay float32 as well:
    there each number acts alone (a variance, a scale, a bias), and they are a hundredth of all.
    Counters (integers) stay as they are.
    """
    return {name: _half(tensor) for name, tensor in state.items()}


def _half(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or tensor.dim() < 2:
        return tensor
    rows = tensor.detach().flatten(1).double()
    rounded = tensor.detach().half()
    moved = torch.linalg.vector_norm(rounded.flatten(1).double() - rows, dim=1)
    # Infinite and undefined numbers fail this comparison, too.
    fits = bool((moved <= _ROUNDING * torch.linalg.vector_norm(rows, dim=1)).all())
    return rounded if fits else tensor
