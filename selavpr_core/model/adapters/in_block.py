"""SelaVPR's adapters, which sit inside the blocks of the backbone."""

from __future__ import annotations

from timm.models.vision_transformer import Block
from torch import Tensor, nn

from selavpr_core.model.adapters.bottleneck import BottleneckMlp

_PARALLEL_SCALE = 0.2


class InBlockAdapters(nn.Module):
    """A serial adapter after a block's attention, and a parallel one beside its MLP.

    Both stand before the block's layer scales, as in SelaVPR. Before training the block does
    what it does without them.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.serial = BottleneckMlp(embed_dim, embed_dim // 2)
        self.parallel = BottleneckMlp(embed_dim, embed_dim // 2)

    def forward(self, tokens: Tensor, block: Block) -> Tensor:
        """Return the output of an adapted block of the backbone, [B, N, D] as its input."""
        attended = block.attn(block.norm1(tokens))
        tokens = tokens + block.ls1(attended + self.serial(attended))
        features = block.norm2(tokens)
        refined = block.mlp(features) + _PARALLEL_SCALE * self.parallel(features)
        return tokens + block.ls2(refined)
