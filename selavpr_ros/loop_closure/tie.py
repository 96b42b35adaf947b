"""How a session's odometry frame lies in the frame of a map, from closures between the two.

Closures are wrong now and then, and the two views of a right one lie metres apart. So every closure
whose both headings are known makes a guess, the guess with which most others agree is fitted to
those (least squares over positions and yaws), and nothing is said before that is sure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_ros.planar_pose import PlanarPose

LEAST_AGREEING = 3
SURE_YAW = math.radians(3.0)
"""One sigma of the yaw from which on the frames are tied: 5 m off in 100 m."""

_USED = 500  # newest closures, so that the work stays the same on a long drive
_LEAST_SIGMA = 0.5  # metres
_LEAST_YAW_SIGMA = math.radians(5.0)


class Tie(NamedTuple):
    """Where the session's frame lies in the map's.

    transform: x, y, z in metres and yaw in radians: a pose of the session turned by the yaw, then
    shifted, is its pose in the map. agreeing: closures that fit, of `closures`. rms: metres that
    their two ends lie apart. yaw_sigma: radians, one sigma.
    """

    transform: PlanarPose
    agreeing: int
    closures: int
    rms: float
    yaw_sigma: float

    def in_session(self, pose: PlanarPose) -> PlanarPose:
        """Return where a pose of the map lies in the session's frame."""
        shift = self.transform
        cos, sin = math.cos(shift.yaw), math.sin(shift.yaw)
        x, y = pose.x - shift.x, pose.y - shift.y
        return PlanarPose(
            cos * x + sin * y, cos * y - sin * x, pose.z - shift.z, pose.yaw - shift.yaw
        )


def tie(
    pairs: Sequence[tuple[PlanarPose, PlanarPose]], max_distance: float, max_angle: float
) -> Tie | None:
    """Find the rigid planar transform that most closures agree with; None while none is sure.

    Args:
        pairs: of each closure the query in the session's frame and the match in the map's, its
            yaw NaN where unknown. The last 500 are used.
        max_distance: metres that the ends of a right closure may lie apart.
        max_angle: radians that its views may differ by.
    """
    if len(pairs) < LEAST_AGREEING:
        return None
    queries, matches = (np.array(poses, np.float64) for poses in zip(*pairs[-_USED:], strict=True))
    turns = matches[:, 3] - queries[:, 3]
    known = ~np.isnan(turns)
    if not known.any():
        return None
    fits = _agreement(queries, matches, turns, turns[known], known, max_distance, max_angle)
    agreeing = fits[fits.sum(axis=1).argmax()]
    count = int(agreeing.sum())
    if count < LEAST_AGREEING or 2 * count <= len(queries):
        return None
    queries, matches, turns = queries[agreeing], matches[agreeing], turns[agreeing]
    sigma, yaw_sigma = max_distance, max_angle
    for _ in range(10):  # weights follow from what is left, and the fit from them
        yaw, fitted_sigma = _yaw(queries, matches, turns, sigma, yaw_sigma)
        shift = matches[:, :3].mean(axis=0) - _turned(queries, yaw).mean(axis=0)
        left = _turned(queries, yaw) + shift - matches[:, :3]
        rms = math.sqrt(float((left[:, :2] ** 2).sum(axis=1).mean()))
        sigma = max(rms, _LEAST_SIGMA)
        spread = np.sqrt(np.nanmean(_wrapped(turns - yaw) ** 2)) if known[agreeing].any() else 0.0
        yaw_sigma = max(float(spread), _LEAST_YAW_SIGMA)
    if fitted_sigma > SURE_YAW:
        return None
    x, y, z = shift.tolist()
    return Tie(PlanarPose(x, y, z, yaw), count, len(pairs), rms, fitted_sigma)


def _agreement(
    queries: NDArray[np.float64],
    matches: NDArray[np.float64],
    turns: NDArray[np.float64],
    guesses: NDArray[np.float64],
    known: NDArray[np.bool_],
    max_distance: float,
    max_angle: float,
) -> NDArray[np.bool_]:
    """Return [G, K]: which closures agree with the guess that each of those with yaws makes."""
    rows = []
    for guess, query, match in zip(guesses, queries[known], matches[known], strict=True):
        shift = match[:3] - _turned(query[None], guess)[0]
        left = _turned(queries, guess) + shift - matches[:, :3]
        near = np.hypot(left[:, 0], left[:, 1]) <= max_distance
        # An unknown yaw objects to nothing.
        rows.append(near & ~(np.abs(_wrapped(turns - guess)) > max_angle))
    return np.array(rows)


def _yaw(
    queries: NDArray[np.float64],
    matches: NDArray[np.float64],
    turns: NDArray[np.float64],
    sigma: float,
    yaw_sigma: float,
) -> tuple[float, float]:
    """Return the yaw of the least squares over positions and yaws, and its sigma; radians.

    All yaws together weigh as much as one: who drives along a place a little askew does so in every
    keyframe. So it takes positions that lie apart to be sure.
    """
    a = queries[:, :2] - queries[:, :2].mean(axis=0)
    b = matches[:, :2] - matches[:, :2].mean(axis=0)
    along = float((a * b).sum()) / sigma**2
    across = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / sigma**2
    known = turns[~np.isnan(turns)]
    if len(known):
        yaw = math.atan2(float(np.sin(known).mean()), float(np.cos(known).mean()))
    else:
        yaw = math.atan2(across, along)
    curvature = 1.0
    for _ in range(20):
        left = float(_wrapped(yaw - known).mean()) / yaw_sigma**2 if len(known) else 0.0
        slope = along * math.sin(yaw) - across * math.cos(yaw) + left
        bend = along * math.cos(yaw) + across * math.sin(yaw) + bool(len(known)) / yaw_sigma**2
        curvature = max(bend, 1e-9)
        step = slope / curvature
        yaw -= step
        if abs(step) < 1e-12:
            break
    return math.remainder(yaw, math.tau), math.sqrt(1.0 / curvature)


def _turned(poses: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    cos, sin = math.cos(yaw), math.sin(yaw)
    x, y, z = poses[:, 0], poses[:, 1], poses[:, 2]
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctan2(np.sin(angles), np.cos(angles))
