"""Which places lie around poses: a grid, searched for many poses at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

Pairs = tuple[Indices, Indices]
"""Numbers `[P]` of positions, ascending, and `[P]` of the places around them."""


class Neighbours:
    """Finds the places around positions, through square cells."""

    def __init__(self, positions: Array, cell: float) -> None:
        """Sort places [N, 2] (metres) into cells of `cell` metres."""
        self._cell = cell
        self._origin = positions.min(axis=0) if len(positions) else np.zeros(2)
        column, row = self._cells(positions)
        # Rows of one column follow each other, with room so that no column touches the next.
        self._stride = int(row.max(initial=0)) + 4
        keys = column * self._stride + row
        self._order: Indices = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._columns = int(column.max(initial=0))

    def _cells(self, positions: Array) -> tuple[Indices, Indices]:
        cells = np.floor((positions - self._origin) / self._cell).astype(np.int64)
        return cells[:, 0], cells[:, 1]

    def around(self, positions: Array) -> Pairs:
        """Pairs (number of the position, place) of each position [H, 2] with all places near it.

        All within `cell` metres are among them, and none beyond three times as far. Ordered by
        position.
        """
        column, row = self._cells(positions)
        # Outside of the grid by more than a cell is nowhere; rows must not run into other columns.
        outside = (row < -1) | (row > self._stride - 3)
        outside |= (column < -1) | (column > self._columns + 1)
        middle = (column[:, None] + np.arange(-1, 2)) * self._stride + row[:, None]
        starts = np.searchsorted(self._keys, (middle - 1).ravel(), "left")
        stops = np.searchsorted(self._keys, (middle + 1).ravel(), "right")
        counts = np.where(np.repeat(outside, 3), 0, stops - starts)
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        within = np.arange(total) - np.repeat(ends - counts, counts)
        places = self._order[np.repeat(starts, counts) + within]
        numbers = np.repeat(np.repeat(np.arange(len(positions)), 3), counts)
        return numbers, places
