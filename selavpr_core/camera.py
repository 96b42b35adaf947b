"""What is known of a camera: the numbers that tell where each of its pixels looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

DistortionModel = Literal["plumb_bob", "rational_polynomial", "equidistant"]
"""Those of sensor_msgs/CameraInfo; both of the first two are OpenCV's own model."""

FISHEYE_COEFFICIENTS = 4
_COEFFICIENTS = (0, 4, 5, 8, 12, 14)

_MAX_SIDE = 2**32 - 1  # what camera_info can say
# Times the longest side, or its fraction: a lens of half a degree. Beyond it, all rays are one, and
# any two pictures agree with some geometry.
_MAX_MAGNIFIED = 100.0

# Distortion is judged on pixels of a grid, and there within 45 degrees or a radian of the optical
# axis: what a fisheye lens sees beyond 90 degrees nobody can undo. Of lenses that there are, OpenCV
# undoes all of them or nearly so; of what no lens has, two in five or less.
_GRID = 9
_LEAST_UNDONE = 0.5
_UNDONE = 0.01  # of the longest side, 5 pixels of 512: so near a pixel's ray falls on it again
# Times that a lens may squeeze the angle that its focal length promises: one without distortion
# that is described as a fisheye does so 1.27 times. What squeezes all rays into one makes any two
# pictures agree, as a focal length does that is too long.
_MOST_SQUEEZED = 2.0
_STEPS = 20  # from the optical axis to where a pixel looks


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
        if any(self.distortion) and _undone(self) < _LEAST_UNDONE:
            raise ValueError("the camera has a distortion that no lens has")

    def fits(self, size: tuple[int, int]) -> bool:
        """Tell whether a picture of this (width, height) can be the camera's, made smaller or not.

        It has the same shape then, but for one pixel of the smaller of the two.
        """
        difference = abs(size[0] * self.height - size[1] * self.width)
        return difference <= max(*size, self.width, self.height)


def undistorted(camera: CameraModel, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where pixels [N, 2] of the full picture look: [N, 2], x and y at depth 1.

    NaN for a pixel that no ray falls on, or one from beside the camera or behind it.
    """
    if not len(pixels):
        return pixels
    matrix, distortion = _opencv(camera)
    if camera.model == "equidistant":
        found = cv2.fisheye.undistortPoints(pixels[:, None], matrix, distortion)
    else:
        found = cv2.undistortPoints(pixels[:, None], matrix, distortion)
    looking = np.asarray(found, np.float64).reshape(-1, 2)
    with np.errstate(all="ignore"):
        off = np.linalg.norm(_distorted(camera, looking) - pixels, axis=1)
    # What cannot be undone OpenCV takes for one far point, and all of these agree with each other.
    looking[~(off <= _UNDONE * max(camera.width, camera.height))] = np.nan
    return looking


def _opencv(camera: CameraModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix K and the coefficients D as OpenCV takes them."""
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    coefficients = camera.distortion or (0.0,) * FISHEYE_COEFFICIENTS
    return matrix, np.array(coefficients, np.float64)  # OpenCV takes no whole numbers


@lru_cache(maxsize=64)  # the segments of a map have few cameras
def _undone(camera: CameraModel) -> float:
    """Return the share of pixels that look somewhere.

    Those do not count whose ray another pixel could have as well, for the picture is folded there,
    or that look nearly along the optical axis though they lie far from the middle.
    """
    across, down = (np.linspace(0, length - 1, _GRID) for length in (camera.width, camera.height))
    pixels = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    near = _from_middle(camera, pixels) <= 1
    pixels = pixels[near] if near.any() else pixels
    promised = _from_middle(camera, pixels)
    if camera.model != "equidistant":
        promised = np.arctan(promised)
    with np.errstate(all="ignore"):
        looking = undistorted(camera, pixels)
        angles = np.arctan(np.linalg.norm(looking, axis=1))
        # Both are false of what is NaN.
        undone = (promised <= _MOST_SQUEEZED * angles) & _in_order(camera, looking)
    return float(undone.mean())


def _in_order(camera: CameraModel, looking: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of which directions [N, 2] what is nearer the axis is nearer the middle, too."""
    lengths = np.maximum(np.linalg.norm(looking, axis=1), 1e-9)
    parts = np.linspace(0, 1, _STEPS + 1)[:, None]
    way = (np.tan(parts * np.arctan(lengths)) / lengths)[..., None] * looking
    away = _from_middle(camera, _distorted(camera, way.reshape(-1, 2)))
    return np.asarray((np.diff(away.reshape(len(way), -1), axis=0) >= 0).all(axis=0))


def _from_middle(camera: CameraModel, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far pixels [N, 2] lie from the optical axis, in focal lengths: [N]."""
    plane = (pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    return np.asarray(np.hypot(plane[:, 0], plane[:, 1]))


def _distorted(camera: CameraModel, looking: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pixels [N, 2] that look where undistorted() says."""
    matrix, distortion = _opencv(camera)
    directions = np.column_stack([looking, np.ones(len(looking))])[:, None]
    project = cv2.fisheye.projectPoints if camera.model == "equidistant" else cv2.projectPoints
    pixels, _ = project(directions, np.zeros(3), np.zeros(3), matrix, distortion)
    return np.asarray(pixels, np.float64).reshape(-1, 2)
