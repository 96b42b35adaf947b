"""Where the pixels of a keyframe's picture look."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import FISHEYE_COEFFICIENTS, CameraModel


def rays(
    camera: CameraModel, points: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return where pixels [N, 2] of a picture look: [N, 2], x and y at depth 1, undistorted.

    size: width and height of that picture, the camera's whole picture made smaller.
    """
    scale = np.array([camera.width / size[0], camera.height / size[1]])
    full = (points.astype(np.float64) + 0.5) * scale - 0.5
    if not len(full):
        return full
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    distortion = np.array(camera.distortion or (0.0,) * FISHEYE_COEFFICIENTS)
    if camera.model == "equidistant":
        looking = cv2.fisheye.undistortPoints(full[:, None], matrix, distortion)
    else:
        looking = cv2.undistortPoints(full[:, None], matrix, distortion)
    return np.asarray(looking, np.float64).reshape(-1, 2)


def focal(camera: CameraModel, size: tuple[int, int]) -> float:
    """Return the focal length in pixels of the camera's picture made to this (width, height)."""
    return 0.5 * (camera.fx * size[0] / camera.width + camera.fy * size[1] / camera.height)
