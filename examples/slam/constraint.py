"""What a loop closure says about where the robot was: a relative pose, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.slam.track import between, moved


class Constraint(NamedTuple):
    """Where the query's robot stood as the matched keyframe's robot saw it.

    step: [3] metres forward, metres to the left, radians counter-clockwise. covariance: [3, 3] of
    the same, along the axes of the query's robot: there gtsam and g2o have the errors of an edge.
    """

    step: NDArray[np.float64]
    covariance: NDArray[np.float64]


@dataclass(frozen=True)
class ClosureNoise:
    """Standard deviations of what a closure says.

    The defaults are a little wider than what was measured (docs/slam.md).

    Attributes:
        distance: metres along either axis between two cameras that see the same place.
        heading: radians between their headings.
        rotation: radians, the least of a heading that geometric verification measured: what it
            states of its own knows nothing of an error of the camera's calibration.
        direction: radians, the least of a direction that it measured.
        no_parallax: metres between two cameras whose pictures show no parallax.
    """

    distance: float = 3.0
    heading: float = math.radians(12.0)
    rotation: float = math.radians(0.5)
    direction: float = math.radians(5.0)
    no_parallax: float = 1.0


LEVEL = 0.5
"""Least horizontal part of a direction: what points up or down says nothing about the plane."""

LITTLE_PARALLAX = math.radians(0.5)
"""Parallax below which two cameras without a direction stand near each other.

With more, the direction is missing because several explain the points."""


def constraint(
    closure: Mapping[str, Any],
    noise: ClosureNoise | None = None,
    mounting: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Constraint:
    """Turn a closure into a factor between the poses of its two keyframes.

    A place recognised is all that is sure: the two cameras stood near each other and looked about
    the same way. Geometric verification with camera_info adds how the second was turned, and in
    which direction it stood, each with its own standard deviation, but not how far: pictures have
    no scale. So the factor is long and narrow along that direction.

    A rotation or a direction without its sigma, as closures of old have them, counts as unknown:
    such rotations were off by up to 60 degrees. So does a parallax that is missing.

    Args:
        closure: as Closure.to_json() gives it, and loop_closure_node publishes it.
        noise: standard deviations; the measured ones by default.
        mounting: the camera on the robot: metres forward, metres to the left, radians to the left
            that it looks. Taken to be level.
    """
    noise = noise or ClosureNoise()
    geometry = closure["verification"].get("geometry") or {}
    turn, turn_sigma = 0.0, noise.heading
    place, spread = np.zeros(2), noise.distance**2 * np.eye(2)
    turned, sigma = geometry.get("rotation"), geometry.get("rotation_sigma")
    way, way_sigma = geometry.get("direction"), geometry.get("direction_sigma")
    parallax = geometry.get("parallax")
    if turned is not None and sigma is not None:
        turn, turn_sigma = _heading_of(turned), max(noise.rotation, sigma)
        if way is None and parallax is not None and parallax < LITTLE_PARALLAX:
            spread = noise.no_parallax**2 * np.eye(2)
    if way is not None and way_sigma is not None:
        right, _, ahead = way
        if math.hypot(ahead, right) >= LEVEL:
            bearing = math.atan2(-right, ahead)
            place, spread = _along(bearing, max(noise.direction, way_sigma), noise)
    back = _turned(-turn)
    covariance = np.zeros((3, 3))
    covariance[:2, :2], covariance[2, 2] = back @ spread @ back.T, turn_sigma**2
    return _of_robot(Constraint(np.array([*place, turn]), covariance), np.array(mounting))


def _along(
    bearing: float, sigma: float, noise: ClosureNoise
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean [2] and covariance [2, 2] of a place that lies in a direction, not far away.

    sigma: radians, of the bearing. Of the normal distribution that `noise.distance` is about, the
    half in front of the camera is left.
    """
    mean = noise.distance * math.sqrt(2 / math.pi)
    along = noise.distance * math.sqrt(1 - 2 / math.pi)
    across = mean * math.tan(sigma)
    turn = _turned(bearing)
    return mean * turn[:, 0], turn @ np.diag([along**2, across**2]) @ turn.T


def _turned(yaw: float) -> NDArray[np.float64]:
    return np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])


def _heading_of(rotation: Sequence[float]) -> float:
    """Return the yaw in radians of a quaternion x, y, z, w between optical frames."""
    x, y, z, w = rotation
    # Where the query's optical axis points, in the match's frame: x to the right, z ahead.
    right, ahead = 2 * (x * z + w * y), 1 - 2 * (x * x + y * y)
    return math.atan2(-right, ahead)


def _of_robot(camera: Constraint, mounting: NDArray[np.float64]) -> Constraint:
    """Return what the robots' poses fulfil where the cameras' poses fulfil a constraint."""
    robot = between(mounting, np.zeros(3))  # as its camera sees it
    step = moved(moved(mounting, camera.step), robot)
    x, y, yaw = mounting
    adjoint = np.eye(3)
    adjoint[:2, :2], adjoint[:2, 2] = _turned(yaw), (y, -x)
    return Constraint(step, adjoint @ camera.covariance @ adjoint.T)
