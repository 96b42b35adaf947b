"""Which patches of a student lie in which cell of a teacher's map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Kept(NamedTuple):
    """What a step looks at.

    cells: [M] int64, numbers of the teacher's cells, row by row. patches: [K] int64, numbers of the
    student's patches, ascending: all that lie in these cells. inside: [M, K] bool, which of the
    patches lie in which of the cells.
    """

    cells: Tensor
    patches: Tensor
    inside: Tensor


class Cells:
    """The cells h x w of a teacher's map over the patches H x W of a student.

    A cell's patches are those that torch's adaptive average pooling gives it; neighbouring cells
    may share some.
    """

    def __init__(self, grid: tuple[int, int], cells: tuple[int, int]) -> None:
        """grid: (H, W) patches. cells: (h, w)."""
        one_each = torch.eye(grid[0] * grid[1]).unflatten(1, grid)
        self._inside = functional.adaptive_avg_pool2d(one_each, cells).flatten(1).T > 0

    def draw(self, share: float) -> Kept:
        """Choose cells by torch's CPU generator, and the patches in them.

        share: of the patches, at most; 1 keeps everything and draws nothing. One cell is kept at
            least.
        """
        inside = self._inside
        count, patches = inside.shape
        if share == 1:
            return Kept(torch.arange(count), torch.arange(patches), inside)
        order = torch.randperm(count)
        seen = inside[order].cumsum(dim=0) > 0  # by the cells so far
        fitting = int((seen.sum(dim=1) <= share * patches).sum())
        cells = order[: max(fitting, 1)].sort().values
        kept = inside[cells].any(dim=0).nonzero().flatten()
        return Kept(cells, kept, inside[cells][:, kept])


def cell_means(features: Tensor, inside: Tensor) -> Tensor:
    """Return the means of patches [B, K, D] over each cell, [B, M, D]; inside: as in `Kept`."""
    weights = inside.to(features.dtype)
    return (weights / weights.sum(dim=1, keepdim=True)) @ features
