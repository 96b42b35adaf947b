"""From ranked candidates to one pose with an honest covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The multi-similarity loss weighs a negative of similarity s by exp(beta s) with beta = 50
# (method, Eq. 16): the scale on which the model was trained to tell places apart.
SIMILARITY_SCALE = 1.0 / 50.0

# Two images this close show the same place, by the convention of the field's benchmarks (m).
SAME_PLACE = 25.0

# Benchmarks accept a match that looks up to 40 degrees another way; taken as three sigma (rad).
VIEW_SIGMA = math.radians(40.0) / 3.0

# Roll and pitch are not observed: a ground robot's tilt, one sigma (rad).
TILT_SIGMA = 0.1

# No pose claims to be better than this, whatever the map says (m).
LEAST_POSITION_SIGMA = 0.1

UNKNOWN_YAW_VARIANCE = math.pi**2


@dataclass(frozen=True)
class PoseEstimate:
    """Where the camera is in the map frame, and how sure that is.

    position: `[3]` float64, metres. yaw: radians, counter-clockwise from x; nan where the matched
    place has no heading. covariance: `[6, 6]` float64 of x, y, z, roll, pitch, yaw (REP-103);
    symmetric, positive definite. agreement: share of the candidates' weight, in [0, 1], that lies
    within 25 m of the position.
    """

    position: NDArray[np.float64]
    yaw: float
    covariance: NDArray[np.float64]
    agreement: float

    @property
    def position_sigma(self) -> float:
        """One sigma of the horizontal position along its worst direction, in metres."""
        return math.sqrt(float(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))

    @property
    def yaw_sigma(self) -> float:
        """One sigma of the yaw in radians; pi where it is unknown."""
        return math.sqrt(float(self.covariance[5, 5]))


def wrap_angle(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles in radians, moved by whole turns into [-pi, pi]."""
    return np.arctan2(np.sin(angle), np.cos(angle))


def estimate_pose(
    similarities: NDArray[np.float64],
    positions: NDArray[np.float64],
    headings: NDArray[np.float64],
    position_sigma: float,
    heading_sigma: float,
    spacing: float,
) -> PoseEstimate:
    """Estimate a pose from candidates, best first.

    The position is the best candidate's. Its covariance adds up what is known to be uncertain:
    the place's own position, half the distance to the next place of the map (the camera may stand
    anywhere between the two), and the scatter of all candidates about the best, each weighted by
    exp((s - s_best) / SIMILARITY_SCALE). Two look-alike places far apart thus give a pose with a
    covariance as large as their distance. The yaw is treated in the same way.

    Args:
        similarities: `[K]`, K >= 1, largest first.
        positions: `[K, 3]` in metres.
        headings: `[K]` in radians, nan where unknown.
        position_sigma: one sigma of the best place's horizontal position in metres; nan: unknown.
        heading_sigma: one sigma of the best place's heading in radians; nan: unknown.
        spacing: metres from the best place to its nearest neighbour; not finite: it has none.
    """
    weights = _weights(similarities)
    offsets = positions - positions[0]
    scatter = (offsets * weights[:, None]).T @ offsets
    scatter = (scatter + scatter.T) / 2.0  # the product is symmetric up to rounding only

    own = position_sigma if math.isfinite(position_sigma) else SAME_PLACE
    half_gap = spacing / 2.0 if math.isfinite(spacing) else SAME_PLACE
    isotropic = max(own, LEAST_POSITION_SIGMA) ** 2 + half_gap**2

    covariance = np.zeros((6, 6))
    covariance[:3, :3] = scatter + isotropic * np.eye(3)
    covariance[3, 3] = covariance[4, 4] = TILT_SIGMA**2
    yaw = float(headings[0])
    covariance[5, 5] = _yaw_variance(weights, headings, heading_sigma)

    agreement = candidates_agree(similarities, positions, positions[0])
    return PoseEstimate(positions[0].astype(np.float64), yaw, covariance, agreement)


def candidates_agree(
    similarities: NDArray[np.float64], positions: NDArray[np.float64], position: NDArray[np.float64]
) -> float:
    """Share of the candidates' weight, in [0, 1], that lies within 25 m of a position.

    similarities: `[K]`, K >= 1, largest first. positions: `[K, 3]` metres. position: `[3]`.
    """
    distances = np.linalg.norm((positions - position)[:, :2], axis=1)
    return min(float(_weights(similarities)[distances <= SAME_PLACE].sum()), 1.0)


def _weights(similarities: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp((similarities - similarities[0]) / SIMILARITY_SCALE)
    return np.asarray(weights / weights.sum())


def _yaw_variance(
    weights: NDArray[np.float64], headings: NDArray[np.float64], heading_sigma: float
) -> float:
    """Variance of the best candidate's heading in rad2, at most that of a yaw nobody knows."""
    if math.isnan(headings[0]) or not math.isfinite(heading_sigma):
        return UNKNOWN_YAW_VARIANCE
    known = ~np.isnan(headings)
    turns = wrap_angle(headings[known] - headings[0])
    scatter = float((weights[known] * turns**2).sum() / weights[known].sum())
    return min(heading_sigma**2 + VIEW_SIGMA**2 + scatter, UNKNOWN_YAW_VARIANCE)
