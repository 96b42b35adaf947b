"""One loss over the vectors of all processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def gather_batch(vectors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the vectors [N, D] and labels [N] of all ranks, in their order.

    Args:
        vectors: [B, D] of this rank; B may differ from rank to rank.
        labels: [B] int64.

    Every rank then computes the same loss over the whole batch, and its backward pass gives the
    gradient through its own rows. Averaged over the ranks, as DistributedDataParallel does, that
    is the gradient of one process with the whole batch: hence the factor in `backward`.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return vectors, labels
    count = torch.tensor([len(vectors)], device=vectors.device)
    counts = [int(n) for n in torch.cat(_from_all(count, [1] * dist.get_world_size())).tolist()]
    gathered: Tensor = _Gather.apply(vectors, counts)
    return gathered, torch.cat(_from_all(labels, counts))


def _from_all(local: Tensor, counts: list[int]) -> list[Tensor]:
    """Return each rank's rows; collectives want equal sizes, so that the rows travel padded."""
    padded = local.new_zeros(max(counts), *local.shape[1:])
    padded[: len(local)] = local
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return [part[:count] for part, count in zip(parts, counts, strict=True)]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: Tensor, counts: list[int]) -> Tensor:
        start = sum(counts[: dist.get_rank()])
        ctx.rows = slice(start, start + len(local))
        return torch.cat(_from_all(local, counts))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.rows] * dist.get_world_size(), None
