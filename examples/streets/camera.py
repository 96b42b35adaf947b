"""A pinhole camera that stands in the street."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Camera:
    """Where the camera is, where it looks and what it sees.

    Position in metres in the map frame; yaw counter-clockwise from east, pitch upwards, roll
    clockwise as seen by the camera, all radians (an aircraft's senses but for the sign of yaw);
    `field_of_view` is the horizontal one, radians. Width and height in pixels.
    """

    x: float
    y: float
    z: float
    yaw: float
    pitch: float = 0.0
    roll: float = 0.0
    field_of_view: float = np.radians(74.0)
    width: int = 640
    height: int = 480

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """Optical centre [3] in the map frame."""
        return np.array([self.x, self.y, self.z])

    @cached_property
    def focal(self) -> float:
        """Focal length in pixels."""
        return float(0.5 * self.width / np.tan(0.5 * self.field_of_view))

    @cached_property
    def rotation(self) -> NDArray[np.float64]:
        """Map frame to the optical frame (x right, y down, z forward, REP-103) [3, 3]."""
        cy, sy = np.cos(self.yaw), np.sin(self.yaw)
        cp, sp = np.cos(self.pitch), np.sin(self.pitch)
        right = np.array([sy, -cy, 0.0])
        forward = np.array([cp * cy, cp * sy, sp])
        down = np.cross(forward, right)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cr * right + sr * down, -sr * right + cr * down, forward])

    @cached_property
    def intrinsics(self) -> NDArray[np.float64]:
        """The matrix [3, 3] that takes a point of the optical frame to a pixel."""
        return np.array(
            [
                [self.focal, 0.0, 0.5 * self.width - 0.5],
                [0.0, self.focal, 0.5 * self.height - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )

    @cached_property
    def from_image(self) -> NDArray[np.float64]:
        """Inverse of `intrinsics` [3, 3]: a pixel (column, row, 1) to its ray at depth 1."""
        return np.asarray(np.linalg.inv(self.intrinsics))

    def to_optical(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points [..., 3] of the map frame in the optical frame."""
        return np.asarray((np.asarray(points, float) - self.position) @ self.rotation.T)

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Pixels [..., 2] (column, row; the first pixel's middle is 0, 0) of points [..., 3].

        A point that is not in front of the camera gives nan.
        """
        optical = self.to_optical(points)
        depth = np.where(optical[..., 2:] > 1e-9, optical[..., 2:], np.nan)
        middle = np.array([0.5 * self.width - 0.5, 0.5 * self.height - 0.5])
        return np.asarray(self.focal * optical[..., :2] / depth + middle)
