"""What every head is."""

from __future__ import annotations

from torch import Tensor, nn


class Head(nn.Module):
    """Pools a branch's tokens into one vector an image.

    What pools and normalises is computed in float32 whatever surrounds it. Matrix products before
    that follow the surrounding autocast, in training; the describer uses none for heads.

    reads_class_token: whether the tokens that it gets start with the class token.
    """

    reads_class_token = False

    def __init__(self, embed_dim: int, outputs: int) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.outputs = outputs

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, (1 +) h * w, D]; returns [B, outputs] float32 of length 1."""
        raise NotImplementedError
