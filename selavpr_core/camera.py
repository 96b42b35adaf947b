"""What is known of a camera: the numbers that tell where each of its pixels looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

DistortionModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]
"""Those of sensor_msgs/CameraInfo; both of the first two are OpenCV's own model."""

FISHEYE_COEFFICIENTS = 4
_COEFFICIENTS = (0, 4, 5, 8, 12, 14)

_MAX_SIDE = 2**32 - 1  # what camera_info can say
# Times the longest side, or its fraction: a lens of half a degree. Beyond it, all rays are one, and
# any two pictures agree with some geometry.
_MAX_MAGNIFIED = 100.0


@dataclass(frozen=True)
class CameraModel:
    """What camera_info says of a camera: pinhole and distortion, in pixels of the full picture.

    width, height: of that picture. fx, fy, cx, cy: of the matrix K, the first pixel's middle being
    (0, 0). distortion: the coefficients D, none for a rectified picture. Raises ValueError for a
    camera that is not calibrated (a focal length of zero), that no lens has, or that nobody can
    compute with.
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
        if not 1 <= min(self.width, self.height) <= max(self.width, self.height) <= _MAX_SIDE:
            raise ValueError(f"the camera has a picture of {self.width} x {self.height} pixels")
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(map(math.isfinite, numbers)):
            raise ValueError("the camera has numbers that are not finite")
        if not (self.fx > 0 and self.fy > 0):
            raise ValueError("the camera is not calibrated: its focal length is zero")
        side = max(self.width, self.height)
        for focal in (self.fx, self.fy):
            if not side / _MAX_MAGNIFIED < focal < side * _MAX_MAGNIFIED:
                raise ValueError(
                    f"the camera has a focal length of {focal:g} pixels, but pictures of "
                    f"{self.width} x {self.height}"
                )
        if self.model not in get_args(DistortionModel):
            raise ValueError(f"unknown distortion model {self.model!r}")
        count = len(self.distortion)
        fisheye = self.model == "equidistant"
        if count not in ((0, FISHEYE_COEFFICIENTS) if fisheye else _COEFFICIENTS):
            raise ValueError(f"{self.model} does not have {count} coefficients")

    def fits(self, size: tuple[int, int]) -> bool:
        """Tell whether a picture of this (width, height) can be the camera's, made smaller or not.

        It has the same shape then, but for one pixel of the smaller of the two.
        """
        difference = abs(size[0] * self.height - size[1] * self.width)
        return difference <= max(*size, self.width, self.height)
