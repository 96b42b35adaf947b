"""What the processes of a run do together."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from lightning.fabric.utilities.rank_zero import rank_zero_only

from selavpr_core.errors import SelaVPRError
from training.errors import TrainingError

T = TypeVar("T")


def is_lead() -> bool:
    """Return whether this is the one process of a run that speaks and writes."""
    rank: int = rank_zero_only.rank  # type: ignore[attr-defined]
    # Before Lightning has launched anything each node's first process has rank 0.
    return rank == 0 and os.environ.get("NODE_RANK", "0") == "0"


def lead_does(fabric: Fabric, action: Callable[[], T]) -> T:
    """Let the lead alone do something, and return on all ranks what came of it.

    Raises TrainingError on all of them where it failed: the others would wait for it for ever.
    """
    if fabric.world_size == 1:
        return action()
    outcome: tuple[T | None, str | None] = (None, None)
    if fabric.is_global_zero:
        try:
            outcome = (action(), None)
        except (SelaVPRError, OSError) as error:
            outcome = (None, str(error))
    result, failure = fabric.broadcast(outcome)
    if failure is not None:
        raise TrainingError(failure)
    return result  # type: ignore[return-value]


def all_do(fabric: Fabric, action: Callable[[], T]) -> T:
    """Let every rank do something of its own, and return what came of it on this one.

    Raises TrainingError on all of them where one failed: the others would wait for it for ever.
    """
    if fabric.world_size == 1:
        return action()
    result, failure = None, None
    try:
        result = action()
    except SelaVPRError as error:
        failure = str(error)
    failures = [told for told in from_all(fabric, failure) if told is not None]
    if failures:
        raise TrainingError(failures[0])
    return result  # type: ignore[return-value]


def from_all(fabric: Fabric, value: T) -> list[T]:
    """Return the values of all ranks, on all of them."""
    if fabric.world_size == 1:
        return [value]
    values: list[Any] = [None] * fabric.world_size
    dist.all_gather_object(values, value)
    return values


def greatest(fabric: Fabric, value: int) -> int:
    """Return the greatest of the values of all ranks, on all of them."""
    if fabric.world_size == 1:
        return value
    shared = torch.tensor(value, device=fabric.device)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return int(shared)
