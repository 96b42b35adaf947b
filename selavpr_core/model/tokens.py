"""How tokens lie in memory: a class token, if one is carried, and then the patches row by row."""

from __future__ import annotations

from torch import Tensor


def split_tokens(tokens: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Split [B, N, C] into the class token [B, 1 or 0, C] and the patches [B, h * w, C].

    grid: (h, w). Views, not copies. Raises ValueError where N is neither h * w nor one more.
    """
    carried = tokens.shape[1] - grid[0] * grid[1]
    if carried not in (0, 1):
        raise ValueError(f"{tokens.shape[1]} tokens are no grid of {grid[0]} x {grid[1]} patches")
    return tokens[:, :carried], tokens[:, carried:]
