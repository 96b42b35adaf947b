"""Muon: steps whose directions are orthogonal, for the matrices of a network's blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

_MOMENTUM = 0.95
_ITERATIONS = 4
# Of the quintic that drives singular values towards 1 fast: after four times, those above 1 % of
# the matrix's length lie between 0.5 and 1.3 (K. Jordan et al., "Muon", 2024).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_RMS = 0.2  # root mean square of AdamW's usual steps (J. Liu et al., "Muon is scalable", 2025)


class Muon(Optimizer):
    """Muon for some matrices, and AdamW for all other parameters.

    A matrix is moved against its gradients' momentum with all singular values made equal (K. Jordan
    et al., "Muon: an optimizer for hidden layers", 2024), `far` times as much as AdamW would move
    it at the same learning rate. A few directions hold nearly all of a gradient; this way the
    others are learned in far fewer steps. PyTorch has Muon from 2.9 on only.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        far: float,
        others: Iterable[dict[str, Any]],
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
        fused: bool,
    ) -> None:
        """matrices: 2-D. far: as above. others: AdamW's groups. weight_decay: of the matrices."""
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})
        self._far = far
        self._adamw = AdamW(others, lr=lr, betas=betas, fused=fused)
        self._share()

    def _share(self) -> None:
        # One list of groups and one state, which whoever sets rates or saves them finds here.
        self.param_groups[1:] = self._adamw.param_groups
        self._adamw.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put back what state_dict() returned."""
        super().load_state_dict(state_dict)
        self._adamw.param_groups = self.param_groups[1:]
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None
        group = self.param_groups[0]
        for matrix in group["params"]:
            if matrix.grad is None:
                continue
            state = self.state[matrix]
            if not state:
                state["momentum"] = torch.zeros_like(matrix)
            momentum = state["momentum"].lerp_(matrix.grad, 1 - _MOMENTUM)
            direction = orthogonal(torch.lerp(matrix.grad, momentum, _MOMENTUM))
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.sub_(direction, alpha=self._far * group["lr"] * _rms(matrix))
        self._adamw.step()


def _rms(matrix: Tensor) -> float:
    """Return what makes the entries of an orthogonal matrix as large as AdamW's steps."""
    return _RMS * math.sqrt(max(matrix.shape))


def orthogonal(matrix: Tensor) -> Tensor:
    """Return [M, N] with about the same singular vectors and all singular values about 1.

    Computed in bfloat16: it is only a direction.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide.bfloat16()
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.to(matrix.dtype)
    return x if wide is matrix else x.T
