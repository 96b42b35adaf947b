"""What a loss takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    total: float32 scalar with a gradient.
    parts: detached float32 scalars by name, to log ("multi_similarity", "positive_pairs", ...).
    """

    total: Tensor
    parts: dict[str, Tensor]


# From vectors [B, D], L2-normalised, and labels [B] int64 (equal numbers: the same place).
Loss = Callable[[Tensor, Tensor], LossTerms]
