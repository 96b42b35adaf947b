"""Where the pixels of a keyframe's picture look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel, undistorted

MOST_MAGNIFIED = 2.5
"""Times that the focal length of one camera may be the other's, in widths of their pictures."""


def rays(
    camera: CameraModel, points: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return where pixels [N, 2] of a picture look: [N, 2], x and y at depth 1, undistorted.

    NaN where nothing tells, as at what a fisheye lens sees beside it and behind it.

    size: width and height of that picture, the camera's whole picture made smaller.
    """
    scale = np.array([camera.width / size[0], camera.height / size[1]])
    full = (points.astype(np.float64) + 0.5) * scale - 0.5
    return undistorted(camera, full)


def focal(camera: CameraModel, size: tuple[int, int]) -> float:
    """Return the focal length in pixels of the camera's picture made to this (width, height)."""
    return 0.5 * (camera.fx * size[0] / camera.width + camera.fy * size[1] / camera.height)


def comparable(
    first: CameraModel,
    first_size: tuple[int, int],
    second: CameraModel,
    second_size: tuple[int, int],
) -> bool:
    """Tell whether one tolerance in radians can hold for pictures of two cameras.

    size: width and height of the picture. Where a pixel of one sees a far larger angle than one of
    the other, what is near enough for the first is a large part of the other's picture, and any two
    pictures agree.
    """
    lengths = (
        focal(first, first_size) / max(first_size),
        focal(second, second_size) / max(second_size),
    )
    return max(lengths) <= MOST_MAGNIFIED * min(lengths)
