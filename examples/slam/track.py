"""Where something was over time, in the plane."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Poses = NDArray[np.float64]
"""[N, 3]: x and y in metres, yaw in radians."""


class Track(NamedTuple):
    """Poses over time.

    stamps: [K] int64 ns, strictly increasing. poses: [K, 3], between which it moves evenly.
    """

    stamps: NDArray[np.int64]
    poses: Poses

    def at(self, stamps: ArrayLike) -> Poses:
        """Return the poses [N, 3] at stamps [N] ns within the track; yaws without jumps."""
        since = (np.asarray(stamps, np.int64) - self.stamps[0]).astype(float)
        knots = (self.stamps - self.stamps[0]).astype(float)
        columns = (*self.poses[:, :2].T, np.unwrap(self.poses[:, 2]))
        return np.stack([np.interp(since, knots, column) for column in columns], axis=-1)

    def covers(self, stamp: int) -> bool:
        """Tell whether a stamp (ns) lies within the track."""
        return bool(len(self.stamps)) and bool(self.stamps[0] <= stamp <= self.stamps[-1])


def moved(start: ArrayLike, steps: ArrayLike) -> Poses:
    """Return the poses [N, 3] that steps [N, 3] lead to, each from its own start [N, 3]."""
    x, y, yaw = np.moveaxis(np.asarray(start, float), -1, 0)
    forward, left, turn = np.moveaxis(np.asarray(steps, float), -1, 0)
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.stack(
        [x + cos * forward - sin * left, y + sin * forward + cos * left, yaw + turn], -1
    )


def between(start: ArrayLike, end: ArrayLike) -> Poses:
    """Return the steps [N, 3] from poses [N, 3] to others, in the frames of the first.

    A step is metres forward, metres to the left and radians counter-clockwise in (-pi, pi].
    """
    first, second = np.asarray(start, float), np.asarray(end, float)
    x, y, turn = np.moveaxis(second - first, -1, 0)
    cos, sin = np.cos(first[..., 2]), np.sin(first[..., 2])
    turn = np.pi - np.mod(np.pi - turn, 2 * np.pi)
    return np.stack([cos * x + sin * y, cos * y - sin * x, turn], -1)


def driven(poses: Poses) -> float:
    """Return the length in metres of the way along poses [N, 3]."""
    return float(np.hypot(*np.diff(poses[:, :2], axis=0).T).sum())
