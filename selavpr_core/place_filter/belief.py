"""What the filter says about where the camera is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

State = Literal["lost", "candidate", "localised"]


@dataclass(frozen=True)
class Belief:
    """Where the camera is in the map frame, and how sure that is.

    state: "localised" where one hypothesis has nearly all of the probability, or had it and still
    has most of it, its region is small and images show it, "candidate" where it has at least half,
    else "lost".
    probability: in [0, 1], that the camera is where the best hypothesis says. position: `[3]`
    float64, metres. yaw: radians, counter-clockwise from x; nan where unknown. covariance:
    `[6, 6]` float64 of x, y, z, roll, pitch, yaw (REP-103); symmetric, positive definite; given
    that the best hypothesis is right. place: number of the place nearest to the position that
    looks the same way. seen: whether the last images show that place about as well as places
    usually are.
    Position, yaw and covariance are nan, and place is -1, where there is no hypothesis at all.
    """

    state: State
    probability: float
    position: NDArray[np.float64]
    yaw: float
    covariance: NDArray[np.float64]
    place: int
    seen: bool = True

    @property
    def position_sigma(self) -> float:
        """One sigma of the horizontal position along its worst direction, in metres."""
        if math.isnan(self.covariance[0, 0]):
            return math.nan
        return math.sqrt(float(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))
