"""BoQ: bags of learned queries ask the patches what each of them looks for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.heads.head import Head
from selavpr_core.model.settings import BOQ_CHANNELS, BOQ_ROW_DIM

_QUERIES = 64
_LAYERS = 2
_HEAD_CHANNELS = 64


class Bag(nn.Module):
    """Encodes the tokens once more, and lets 64 learned queries attend to them."""

    def __init__(self) -> None:
        super().__init__()
        heads = BOQ_CHANNELS // _HEAD_CHANNELS
        self.encoder = nn.TransformerEncoderLayer(
            BOQ_CHANNELS, heads, 4 * BOQ_CHANNELS, dropout=0.0, batch_first=True
        )
        self.queries = nn.Parameter(torch.randn(1, _QUERIES, BOQ_CHANNELS))
        self.query_attention = nn.MultiheadAttention(BOQ_CHANNELS, heads, batch_first=True)
        self.query_norm = nn.LayerNorm(BOQ_CHANNELS)
        self.attention = nn.MultiheadAttention(BOQ_CHANNELS, heads, batch_first=True)
        self.norm = nn.LayerNorm(BOQ_CHANNELS)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[B, N, 384] to the encoded tokens, the same shape, and the answers [B, 64, 384]."""
        tokens = self.encoder(tokens)
        # The queries are the same for every image: they attend to each other once.
        attended, _ = self.query_attention(
            self.queries, self.queries, self.queries, need_weights=False
        )
        queries = self.query_norm(self.queries + attended).expand(len(tokens), -1, -1)
        answers, _ = self.attention(queries, tokens, tokens, need_weights=False)
        return tokens, self.norm(answers)


class BoqHead(Head):
    """3x3 convolution to 384 channels, two bags of 64 queries, 32 mixtures of their answers, L2."""

    def __init__(self, embed_dim: int, outputs: int) -> None:
        super().__init__(embed_dim, outputs)
        self.conv = nn.Conv2d(embed_dim, BOQ_CHANNELS, 3, padding=1)
        self.norm = nn.LayerNorm(BOQ_CHANNELS)
        self.bags = nn.ModuleList([Bag() for _ in range(_LAYERS)])
        self.mix = nn.Linear(_LAYERS * _QUERIES, BOQ_ROW_DIM)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, h * w, D]; returns [B, 12288] float32 of length 1."""
        tokens = self.conv(tokens.transpose(1, 2).unflatten(2, grid)).flatten(2).transpose(1, 2)
        tokens = self.norm(tokens)
        answers: list[Tensor] = []
        for bag in self.bags:
            tokens, answer = bag(tokens)
            answers.append(answer)
        mixed = self.mix(torch.cat(answers, dim=1).transpose(1, 2))
        return functional.normalize(mixed.flatten(1).float(), dim=1)
