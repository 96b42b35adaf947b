"""What a loss takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor


class LossTerms(NamedTuple):
    """A loss and what it is made of.

    total: float32 scalar with a gradient.
    parts: detached scalars by name, to log: "multi_similarity", "similarity_constrained" or
        "locality_constrained" where the loss has them, "positive_pairs" and "negative_pairs".
    """

    total: Tensor
    parts: dict[str, Tensor]


# From vectors [B, D], L2-normalised and before the sign, and labels [B] int64 (equal numbers: the
# same place).
Loss = Callable[[Tensor, Tensor], LossTerms]


@contextmanager
def full_precision(vectors: Tensor) -> Iterator[Tensor]:
    """Yield vectors in float32 at least, and let no autocast touch what is done with them.

    Half precision has no room for exp(50 s), nor for similarities of 512 bits, which lie 1 / 256
    apart.
    """
    with torch.autocast(vectors.device.type, enabled=False):
        yield vectors.to(torch.promote_types(vectors.dtype, torch.float32))
