"""Which kernels compute a training step."""

from __future__ import annotations

import torch

from selavpr_core.model import SelaVPR


def choose_kernels(precision: str) -> None:
    """Let this process use a GPU's fastest kernels for a precision ("16-mixed", ...)."""
    torch.backends.cudnn.benchmark = True  # nearly all batches of a run have the same size
    if precision != "32":
        # What autocast leaves in float32 (norms, heads) may use TF32, as exact as float16.
        torch.set_float32_matmul_precision("high")


def attend_plainly(model: SelaVPR) -> None:
    """Let a CPU multiply attention out, which takes two thirds of its fused kernel's time there.

    Forward and backward together, at the 65 to 257 tokens of a training image. Forward alone both
    take as long, and the fused kernel keeps less: this is for a backbone that is tuned.
    """
    for block in model.backbone.blocks:
        block.attn.fused_attn = False  # type: ignore[union-attr]
