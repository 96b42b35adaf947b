"""Recomputing in the backward pass what the forward pass did not keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(
    module: nn.Module, function: Callable[..., Tensor], *inputs: Any, random: bool = False
) -> Tensor:
    """Return function(*inputs), keeping only the inputs for the backward pass.

    module: whose batch normalisations the function runs; their statistics are updated once, in
    the forward pass. random: whether the function draws random numbers, to be drawn again alike.
    Gradients are those of calling the function.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(module)

    return checkpoint(
        function, *inputs, use_reentrant=False, preserve_rng_state=random, context_fn=contexts
    )


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Let batch normalisations update copies of their statistics, and forget these."""
    kept = [
        (norm, dict(norm.named_buffers()))
        for norm in module.modules()
        if isinstance(norm, _BatchNorm) and norm.training
    ]
    for norm, buffers in kept:
        for name, buffer in buffers.items():
            setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, buffers in kept:
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
