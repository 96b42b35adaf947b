"""How far a track is from the truth."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.slam.track import Poses


class Accuracy(NamedTuple):
    """Absolute trajectory error of N poses, after alignment.

    Attributes:
        rms, median, largest: metres.
        yaw_rms: radians.
        errors: [N] metres.
    """

    rms: float
    median: float
    largest: float
    yaw_rms: float
    errors: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """Return what is not an array as JSON values, metres and degrees."""
        return {
            "ate_rms_m": round(self.rms, 3),
            "ate_median_m": round(self.median, 3),
            "ate_largest_m": round(self.largest, 3),
            "yaw_rms_deg": round(math.degrees(self.yaw_rms), 3),
        }


def aligned(poses: Poses, truth: Poses) -> Poses:
    """Return poses [N, 3] turned and shifted, not scaled, to lie nearest to others [N, 3].

    A pose graph knows no north: only the shape of a track can be right or wrong. By least squares
    over all positions (Umeyama 1991).
    """
    # In the plane, points are complex numbers: the best turn is the argument of one sum.
    ours, theirs = (p[:, 0] + 1j * p[:, 1] for p in (poses, truth))
    middle, aim = ours.mean(), theirs.mean()
    yaw = float(np.angle(np.vdot(ours - middle, theirs - aim)))
    placed = aim + np.exp(1j * yaw) * (ours - middle)
    return np.column_stack([placed.real, placed.imag, poses[:, 2] + yaw])


def accuracy(poses: Poses, truth: Poses) -> Accuracy:
    """Compare poses [N, 3] with the true ones [N, 3], once aligned to them."""
    placed = aligned(poses, truth)
    errors = np.hypot(*(placed - truth)[:, :2].T)
    turns = np.angle(np.exp(1j * (placed - truth)[:, 2]))
    return Accuracy(
        float(np.sqrt((errors**2).mean())),
        float(np.median(errors)),
        float(errors.max()),
        float(np.sqrt((turns**2).mean())),
        errors,
    )
