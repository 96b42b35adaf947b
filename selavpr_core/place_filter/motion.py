"""How the camera moved from one image to the next."""

from __future__ import annotations

import math
from typing import NamedTuple

# Errors of odometry that states none (wheels, visual odometry): of the way, beside the scale that
# the filter finds by itself; shares of the turn; of the heading.
WAY_NOISE = 0.05  # m on the first metre; it grows as the root of the way
SHARE_OF_TURN = 0.05
YAW_PER_METRE = math.radians(0.1)
# Metres over which an error of the heading stays the same. Steps are taken as independent of each
# other: each gets the variance with which as much piles up over that way.
PERSISTENCE = 20.0
# What remains where nothing moves.
LEAST_SIGMA = 0.01  # m
LEAST_YAW_SIGMA = math.radians(0.1)


class Motion(NamedTuple):
    """A planar motion, in the frame of the pose it starts from (x ahead, y to the left).

    dx, dy: metres. dyaw: radians, counter-clockwise. sigma: one standard deviation of dx and of dy,
    metres, without a scale by which all ways are wrong alike, which the filter finds by itself;
    sigma_yaw: of dyaw, radians.
    """

    dx: float
    dy: float
    dyaw: float
    sigma: float
    sigma_yaw: float

    @property
    def distance(self) -> float:
        """Metres from start to end."""
        return math.hypot(self.dx, self.dy)

    @classmethod
    def between(cls, start: tuple[float, float, float], end: tuple[float, float, float]) -> Motion:
        """The motion from one pose (x, y, yaw) of odometry to another, with usual errors.

        Errors are those of wheel odometry that states none: half a metre on 100 m beside its scale,
        5 % of the turn and a tenth of a degree a metre.
        """
        x, y = end[0] - start[0], end[1] - start[1]
        cos, sin = math.cos(start[2]), math.sin(start[2])
        way = math.hypot(x, y)
        turn = math.remainder(end[2] - start[2], math.tau)
        piled_up = math.sqrt(way * (way + PERSISTENCE))
        return cls(
            cos * x + sin * y,
            cos * y - sin * x,
            turn,
            LEAST_SIGMA + WAY_NOISE * math.sqrt(way),
            LEAST_YAW_SIGMA + SHARE_OF_TURN * abs(turn) + YAW_PER_METRE * piled_up,
        )
