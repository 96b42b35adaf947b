"""One branch: adapters that refine the backbone's tokens, and a head that pools them."""

from __future__ import annotations

from torch import Tensor, nn

from selavpr_core.model.adapters import side_adapter
from selavpr_core.model.heads import head_named
from selavpr_core.model.settings import SIDE_ADAPTERS, ModelSettings


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
        self, number: int, state: Tensor | None, block: Tensor, grid: tuple[int, int]
    ) -> Tensor | None:
        """Return the state after block `number`, None before the state begins.

        block: [B, 1 + h * w, D], the block's output with the class token first; the embedded
        tokens for number 0. grid: (h, w).
        """
        if number < self.start:
            return None
        tokens = block if self.head.reads_class_token else block[:, 1:]
        if number == self.start:
            return tokens
        assert state is not None
        if str(number) not in self.adapters:
            return state
        return state + self.adapters[str(number)](state + tokens, grid)
