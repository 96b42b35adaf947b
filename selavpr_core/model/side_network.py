"""One branch: adapters that refine the backbone's tokens, and a head that pools them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from selavpr_core.model.adapters import side_adapter
from selavpr_core.model.autocast import autocast_dtype
from selavpr_core.model.heads import head_named
from selavpr_core.model.recompute import recomputed
from selavpr_core.model.settings import SIDE_ADAPTERS, ModelSettings

# Images that a head recomputes at a time: its float32 maps of all images would be the peak.
_HEAD_CHUNK = 64


class SideNetwork(nn.Module):
    """The adapters of one branch, keyed by their block's 1-based number, and its head.

    The branch's state y [B, N, D] holds the patch tokens, after the class token where the head
    reads it. It starts as the input of the first adapted block (x_0, the embedded tokens, where
    that is block 1) and each adapted block i adds A_i(y + x_i) (Eq. 6); blocks in between leave it
    as it is (Eq. 7). A branch without adapters of its own takes the last block's output.
    """

    def __init__(self, settings: ModelSettings, head: str, outputs: int) -> None:
        super().__init__()
        blocks = settings.adapted_blocks if settings.adapter in SIDE_ADAPTERS else ()
        self.adapters = nn.ModuleDict(
            {str(number): side_adapter(settings.adapter, settings.embed_dim) for number in blocks}
        )
        self.head = head_named(head, settings.embed_dim, outputs)
        self.start = blocks[0] - 1 if blocks else settings.depth

    def advance(
        self,
        number: int,
        state: Tensor | None,
        block: Tensor,
        grid: tuple[int, int],
        recompute: bool = False,
    ) -> Tensor | None:
        """Return the state after block `number`, None before the state begins.

        block: [B, 1 + h * w, D], the block's output with the class token first; the embedded
        tokens for number 0. grid: (h, w). recompute: whether the backward pass computes the
        adapter again, instead of keeping what the forward pass computed.
        """
        if number < self.start:
            return None
        tokens = block if self.head.reads_class_token else block[:, 1:]
        half = autocast_dtype(block.device)
        if number == self.start:
            # In half precision the small updates of many blocks would be rounded away.
            return tokens if half is None else tokens.float()
        assert state is not None
        if str(number) not in self.adapters:
            return state
        adapter = self.adapters[str(number)]
        features = state + tokens
        if half is not None:
            features = features.to(half)
        if recompute and torch.is_grad_enabled():
            return state + recomputed(adapter, adapter, features, grid)
        return state + adapter(features, grid)

    def vectors(
        self, state: Tensor, norm: nn.Module, grid: tuple[int, int], recompute: bool = False
    ) -> Tensor:
        """Return the head's vectors, [B, outputs] float32 of length 1.

        state: after the last block; norm: the backbone's last. recompute: whether the backward
        pass computes norm and head again, for a few images at a time.
        """

        def describe(tokens: Tensor) -> Tensor:
            return self.head(norm(tokens.float()), grid)

        if not (recompute and torch.is_grad_enabled()):
            return describe(state)
        parts = [recomputed(self.head, describe, p, random=True) for p in state.split(_HEAD_CHUNK)]
        return torch.cat(parts)
