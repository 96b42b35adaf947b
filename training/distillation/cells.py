"""Which patches of a student lie in which cell of a teacher's map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Kept(NamedTuple):
    """What a step looks at, of each of B images.

    cells: [B, M] int64, numbers of the teacher's cells, ascending. patches: [B, K] int64, numbers
    of the student's patches, ascending: all that lie in these cells. inside: [B, M, K] bool, which
    of the patches lie in which of the cells.
    """

    cells: Tensor
    patches: Tensor
    inside: Tensor


class Cells:
    """The cells h x w of a teacher's map, and in each the patches of a student's H x W.

    A patch lies in the one cell that its middle lies in. Cells without a patch are never looked at.
    """

    def __init__(self, grid: tuple[int, int], cells: tuple[int, int]) -> None:
        """grid: (H, W) patches. cells: (h, w)."""
        row, column = (
            (2 * torch.arange(patches) + 1) * count // (2 * patches)
            for patches, count in zip(grid, cells, strict=True)
        )
        self._cell = (row[:, None] * cells[1] + column).flatten()
        sizes = torch.bincount(self._cell)
        self._by_size = [
            (sizes == size).nonzero().flatten() for size in sizes.unique().tolist() if size
        ]

    def draw(self, images: int, share: float) -> Kept:
        """Choose cells for each image by torch's CPU generator, and the patches in them.

        share: of the patches, at most; 1 keeps everything and draws nothing. Every image keeps as
            many cells of each size, so that all keep as many patches; and one cell at least.
        """
        counts = [int(share * len(cells)) for cells in self._by_size]
        if not any(counts):
            counts[0] = 1
        chosen = []
        for cells, count in zip(self._by_size, counts, strict=True):
            if count < len(cells):
                chosen.append(cells[torch.rand(images, len(cells)).argsort(dim=1)[:, :count]])
            else:
                chosen.append(cells.expand(images, -1))
        kept = torch.cat(chosen, dim=1).sort(dim=1).values
        of_kept = self._cell == kept[:, :, None]
        patches = of_kept.any(dim=1).nonzero()[:, 1].unflatten(0, (images, -1))
        return Kept(kept, patches, self._cell[patches][:, None] == kept[:, :, None])


def cell_means(features: Tensor, inside: Tensor) -> Tensor:
    """Return the means of patches [B, K, D] over each cell, [B, M, D]; inside: as in `Kept`."""
    weights = inside.to(features.dtype)
    return (weights / weights.sum(dim=2, keepdim=True)) @ features
