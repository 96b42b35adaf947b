from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from selavpr_core.weights.half import halved

LARGEST = 65504.0  # of float16


def kept(tensor: Tensor) -> Tensor:
    """What is stored for a tensor."""
    return halved({"t": tensor})["t"]


def gaussian(*shape: int, scale: float = 0.02) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 5, 5), (1, 17, 12), (2, 0)])
def test_matrices_and_kernels_become_half(shape: tuple[int, ...]) -> None:
    tensor = gaussian(*shape)
    assert kept(tensor).dtype == torch.float16
    assert torch.equal(kept(tensor), tensor.half())
    assert tensor.dtype == torch.float32


def test_vectors_scalars_and_counters_stay_as_they_are() -> None:
    for tensor in (gaussian(64), torch.tensor(3.0), torch.tensor(7), torch.arange(6).reshape(2, 3)):
        assert kept(tensor) is tensor


@pytest.mark.parametrize(
    "value", [LARGEST + 100, 1e-6, 1e-9, math.inf, -math.inf, math.nan], ids=str
)
def test_one_row_that_float16_cannot_hold_keeps_the_tensor(value: float) -> None:
    tensor = gaussian(8, 5)
    tensor[6] = value
    assert kept(tensor) is tensor


def test_single_small_numbers_beside_large_ones_are_only_rounded() -> None:
    tensor = gaussian(8, 5)
    tensor[6, 2] = 1e-9
    tensor[7] = 0.0
    assert kept(tensor).dtype == torch.float16


@given(
    exponent=st.floats(-12, 6),
    spread=st.floats(0, 6),
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 4),
    columns=st.integers(1, 6),
)
def test_no_row_moves_by_more_than_rounding_does(
    exponent: float, spread: float, seed: int, rows: int, columns: int
) -> None:
    """Held against plain loops: half exactly where every row keeps eleven bits of its length."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, columns)) * 10 ** (
        exponent + spread * generator.uniform(-1, 1, (rows, 1))
    )
    tensor = torch.tensor(values, dtype=torch.float32)
    shares = []
    for row in tensor.tolist():
        with np.errstate(over="ignore"):
            rounded = [float(np.float16(value)) for value in row]
        moved = math.sqrt(sum((a - b) ** 2 for a, b in zip(rounded, row, strict=True)))
        length = math.sqrt(sum(value**2 for value in row))
        shares.append(moved / length if length else moved)
    if max(shares) < 0.999 * 2**-11:
        assert kept(tensor).dtype == torch.float16
    elif max(shares) > 1.001 * 2**-11:
        assert kept(tensor) is tensor
