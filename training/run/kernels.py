"""Which of its kernels a GPU uses for training."""

from __future__ import annotations

import torch


def choose_kernels(precision: str) -> None:
    """Let this process use a GPU's fastest kernels for a precision ("16-mixed", ...)."""
    torch.backends.cudnn.benchmark = True  # nearly all batches of a run have the same size
    if precision != "32":
        # What autocast leaves in float32 (norms, heads) may use TF32, as exact as float16.
        torch.set_float32_matmul_precision("high")
