"""Poses of a robot that stands upright: a position and a yaw (REP-103)."""

from __future__ import annotations

import math
from typing import NamedTuple

_NORM_TOLERANCE = 1e-2  # of a quaternion's norm: rounding is far less, an unset one far more


class PlanarPose(NamedTuple):
    """A position in metres and a yaw in radians."""

    x: float
    y: float
    z: float
    yaw: float


def quaternion_yaw(x: float, y: float, z: float, w: float) -> float:
    """Yaw in radians, as the last of the z-y-x Euler angles (REP-103); any norm but zero."""
    return math.atan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)


def yaw_quaternion(yaw: float) -> tuple[float, float, float, float]:
    """Quaternion x, y, z, w of a rotation about z by `yaw` radians; identity for nan."""
    if math.isnan(yaw):
        return 0.0, 0.0, 0.0, 1.0
    return 0.0, 0.0, math.sin(yaw / 2.0), math.cos(yaw / 2.0)


def pose_problem(
    position: tuple[float, float, float], quaternion: tuple[float, float, float, float]
) -> str | None:
    """Why a position in metres and a quaternion (x, y, z, w) are no pose; None where they are."""
    if not all(math.isfinite(value) for value in (*position, *quaternion)):
        return "its position or orientation is not finite"
    norm = math.hypot(*quaternion)
    if abs(norm - 1.0) > _NORM_TOLERANCE:
        return f"its orientation has norm {norm:.2f} instead of 1"
    return None
