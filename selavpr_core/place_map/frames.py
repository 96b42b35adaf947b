"""Poses of places moved from one frame into another."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PlanarTransform(NamedTuple):
    """Where the old frame's origin lies in the new frame, metres, and its x axis points, radians.

    Applied to a pose: turned about z by `yaw`, then shifted by `x`, `y`, `z`.
    """

    x: float
    y: float
    z: float
    yaw: float

    def positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions [N, 3] of the old frame in the new one, [N, 3] float64, metres."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        moved: NDArray[np.float64] = positions @ turn.T + (self.x, self.y, self.z)
        return moved

    def after(self, first: PlanarTransform) -> PlanarTransform:
        """Return the transform that does what `first` does and then what this one does."""
        x, y, z = self.positions(np.array([first[:3]]))[0].tolist()
        return PlanarTransform(x, y, z, first.yaw + self.yaw)

    def headings(self, headings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return headings [N] of the old frame in the new one, [N] float32 in (-pi, pi]."""
        return wrapped(headings.astype(np.float64) + self.yaw).astype(np.float32)


def wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same angles in (-pi, pi]; NaN stays."""
    with np.errstate(invalid="ignore"):  # some versions of NumPy warn of NaN here
        return math.pi - np.mod(math.pi - angles, 2 * math.pi)
