"""Muon: steps of a matrix whose directions all have the same length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

_MOMENTUM = 0.95
# Of the polynomial that is iterated: singular values of 0.01 to 1 come near 1 in five steps.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
# AdamW's steps have about this root mean square, in units of the learning rate.
_ADAM_SIZE = 0.2


class Muon(AdamW):
    """Muon for matrices, AdamW for everything else, with one learning rate for both.

    A matrix moves against its gradient's momentum (Nesterov's), made orthogonal, and scaled to what
    a step of AdamW amounts to (K. Jordan, "Muon"; J. Liu et al., "Muon is scalable for LLM
    training", 2.2). A transformer trained from random weights needs fewer images with it.
    """

    def __init__(
        self,
        matrices: Sequence[nn.Parameter],
        others: Sequence[dict[str, Any]],
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        """matrices: [N, M] each. others: AdamW's groups. weight_decay: of the matrices."""
        group = {"params": list(matrices), "weight_decay": weight_decay, "muon": True}
        super().__init__([*({**other, "muon": False} for other in others), group], learning_rate)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step of everything that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = self.param_groups
        for group in groups:
            if group["muon"]:
                for matrix in group["params"]:
                    if matrix.grad is not None:
                        self._step_matrix(matrix, group["lr"], group["weight_decay"])
        self.param_groups = [group for group in groups if not group["muon"]]
        try:
            super().step()
        finally:
            self.param_groups = groups
        return loss

    def _step_matrix(self, matrix: nn.Parameter, rate: float, weight_decay: float) -> None:
        gradient = matrix.grad
        assert gradient is not None
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
            state["step"] = torch.zeros(())  # AdamW looks for it in every state that it reads
        momentum = state["momentum"]
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        direction = orthogonal(gradient.lerp(momentum, _MOMENTUM))
        size = _ADAM_SIZE * math.sqrt(max(matrix.shape))
        matrix.mul_(1 - rate * weight_decay).sub_(direction, alpha=rate * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix with the same singular vectors and singular values of about 1, [N, M].

    By Newton and Schulz's iteration, in bfloat16, which is exact enough for a direction: singular
    values end between 0.7 and 1.2. The result is float32.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).float()
