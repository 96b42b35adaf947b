"""One branch: adapters that refine the backbone's tokens, and a head that pools them."""

from __future__ import annotations

from torch import Tensor, nn

from selavpr_core.model.adapter import Adapter
from selavpr_core.model.heads import GeMHead
from selavpr_core.model.settings import ModelSettings


class SideNetwork(nn.Module):
    """The adapters of one branch, keyed by their block's 1-based number, and its head.

    The branch's state y [B, h * w, D] holds patch tokens alone. It starts as the input of the
    first adapted block (x_0, the embedded tokens, where that is block 1) and each adapted block i
    adds A_i(y + x_i) (Eq. 6); blocks in between leave it as it is (Eq. 7).
    """

    def __init__(self, settings: ModelSettings, outputs: int) -> None:
        super().__init__()
        self.adapters = nn.ModuleDict(
            {str(number): Adapter(settings.embed_dim) for number in settings.adapted_blocks}
        )
        self.head = GeMHead(settings.embed_dim, outputs)

    def refine(self, number: int, state: Tensor, block: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the state after block `number`, given that block's output.

        state, block: [B, h * w, D] patch tokens; grid: (h, w).
        """
        return state + self.adapters[str(number)](state + block, grid)
