"""How far apart the places of a segment lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Spacing:
    """Finds the nearest other place of a segment.

    Places are sorted along the axis on which they spread most, so that a search looks at those in
    a narrow strip instead of at all of them.
    """

    def __init__(self, positions: NDArray[np.float64]) -> None:
        """Sort the positions [N, 3] (metres), which are kept."""
        self._positions = positions
        self._axis = int(np.argmax(np.ptp(positions, axis=0)))
        self._order = np.argsort(positions[:, self._axis])
        self._sorted = positions[self._order, self._axis]

    def nearest(self, row: int) -> float:
        """Return the distance in metres from a place to the nearest at another position.

        NaN if all places are at the same position.
        """
        here = self._positions[row]
        along = here[self._axis]
        middle = int(np.searchsorted(self._sorted, along))
        reach = 16
        while True:
            start, stop = max(0, middle - reach), min(len(self._sorted), middle + reach)
            strip = self._positions[self._order[start:stop]]
            distances = np.linalg.norm(strip - here, axis=1)
            best = distances[distances > 0].min(initial=np.inf)
            left_done = start == 0 or along - self._sorted[start] >= best
            right_done = stop == len(self._sorted) or self._sorted[stop - 1] - along >= best
            if left_done and right_done:
                return float(best) if np.isfinite(best) else float("nan")
            reach *= 4
