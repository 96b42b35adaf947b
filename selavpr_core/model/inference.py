"""A network made ready for inference, beside the one that was loaded."""

from __future__ import annotations

import copy

import torch
from torch import nn

from selavpr_core.model.selavpr import SelaVPR


def inference_copy(model: SelaVPR, device: torch.device, dtype: torch.dtype) -> SelaVPR:
    """Return a frozen copy in eval mode on a device, its backbone and adapters in a dtype.

    The final norm, the heads and the position embedding stay in float32. Tensors that need no
    conversion are shared with the original, which is left as it is.
    """
    # deepcopy takes what stands in its memo for a copy: new parameters over the same storage,
    # because moving a module writes into its parameters.
    shared: dict[int, object] = {
        id(p): nn.Parameter(p.detach(), requires_grad=False) for p in model.parameters()
    }
    shared |= {id(b): b.detach() for b in model.buffers()}
    ready = copy.deepcopy(model, shared).eval()
    ready.to(device)
    ready.backbone.patch_embed.to(dtype)
    ready.backbone.blocks.to(dtype)
    for branch in (ready.float_branch, ready.hash_branch):
        if branch is not None:
            branch.adapters.to(dtype)
    return ready
