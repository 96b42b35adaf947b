"""The camera behind a keyframe's picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

DistortionModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]
"""Those of sensor_msgs/CameraInfo; both of the first two are OpenCV's own model."""

_FISHEYE_COEFFICIENTS = 4
_COEFFICIENTS = (0, 4, 5, 8, 12, 14)


@dataclass(frozen=True)
class CameraModel:
    """What camera_info says of a camera: pinhole and distortion, in pixels of the full picture.

    width, height: of that picture. fx, fy, cx, cy: of the matrix K, the first pixel's middle being
    (0, 0). distortion: the coefficients D, none for a rectified picture. Raises ValueError for a
    camera that is not calibrated (a focal length of zero) or that nobody can compute with.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    model: DistortionModel = "plumb_bob"

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if self.width < 1 or self.height < 1 or not all(map(math.isfinite, numbers)):
            raise ValueError("the camera has no size, or numbers that are not finite")
        if not (self.fx > 0 and self.fy > 0):
            raise ValueError("the camera is not calibrated: its focal length is zero")
        if self.model not in get_args(DistortionModel):
            raise ValueError(f"unknown distortion model {self.model!r}")
        count = len(self.distortion)
        fisheye = self.model == "equidistant"
        if count not in ((0, _FISHEYE_COEFFICIENTS) if fisheye else _COEFFICIENTS):
            raise ValueError(f"{self.model} does not have {count} coefficients")

    def fits(self, size: tuple[int, int]) -> bool:
        """Tell whether a picture of this (width, height) can be the camera's, made smaller or not.

        It has the same shape then, but for one pixel of the smaller of the two.
        """
        difference = abs(size[0] * self.height - size[1] * self.width)
        return difference <= max(*size, self.width, self.height)

    def rays(self, points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
        """Return where pixels [N, 2] of a picture look: [N, 2], x and y at depth 1, undistorted.

        size: width and height of that picture, the camera's whole picture made smaller.
        """
        scale = np.array([self.width / size[0], self.height / size[1]])
        full = (points.astype(np.float64) + 0.5) * scale - 0.5
        if not len(full):
            return full
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])
        distortion = np.array(self.distortion or (0.0,) * _FISHEYE_COEFFICIENTS)
        if self.model == "equidistant":
            rays = cv2.fisheye.undistortPoints(full[:, None], matrix, distortion)
        else:
            rays = cv2.undistortPoints(full[:, None], matrix, distortion)
        return np.asarray(rays, np.float64).reshape(-1, 2)

    def focal(self, size: tuple[int, int]) -> float:
        """Return the focal length in pixels of a picture of this (width, height)."""
        return 0.5 * (self.fx * size[0] / self.width + self.fy * size[1] / self.height)
