"""Which frames become places."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from selavpr_ros.mapping.heading import wrap


class KeyframeSelector:
    """Keeps a frame when the camera has moved or turned far enough since the last one kept.

    distance: metres of horizontal movement; 0 keeps every frame.
    heading: radians of turning. An unknown heading, now or then, is no turn.
    """

    def __init__(self, distance: float, heading: float) -> None:
        self.distance = distance
        self.heading = heading
        self._position: NDArray[np.float64] | None = None
        self._heading = math.nan

    def wants(self, position: NDArray[np.float64], heading: float) -> bool:
        """Tell whether a frame at `position` [3] metres and `heading` radians should be kept."""
        if self._position is None:
            return True
        if math.dist(position[:2], self._position[:2]) >= self.distance:
            return True
        return abs(float(wrap(heading - self._heading))) >= self.heading

    def keep(self, position: NDArray[np.float64], heading: float) -> None:
        """Note that a frame was kept: the next ones are compared with it."""
        self._position = position
        self._heading = heading
