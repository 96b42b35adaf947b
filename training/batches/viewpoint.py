"""The same picture as from a place and in a direction a little different."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# At strength 1: an image keeps half of its area at least, and the rest deviates by this at most.
_SMALLEST_AREA = 0.5
_ASPECT = 4 / 3
_TURN = np.radians(10.0)
_CORNER = 0.1  # of the side of what is seen

_SHRUNK_MUCH = 1.25
"""Pixels of the image to one of the result from which linear interpolation would skip some."""


def warped(
    rgb: NDArray[np.uint8], size: tuple[int, int], strength: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Look at a random part of an image, turned and at a slant, squashed to a size.

    Args:
        rgb: uint8 [H, W, 3]. What lies beyond its border is its reflection.
        size: (height, width) in pixels.
        strength: 0 (the whole image, straight) to 1.
        random: decides.

    Returns:
        uint8 [height, width, 3].
    """
    corners = _corners(rgb.shape[:2], strength, random)
    height, width = size
    # How many pixels of the image one of the result covers, in its two directions.
    across = np.linalg.norm(corners[1] - corners[0]) / width
    down = np.linalg.norm(corners[3] - corners[0]) / height
    if max(across, down) > _SHRUNK_MUCH:
        smaller = _shrunk(rgb, max(across, 1.0), max(down, 1.0))
        corners *= np.divide(smaller.shape[1::-1], rgb.shape[1::-1])
        rgb = smaller
    # Pixels are numbered by their centres, half a pixel from the border.
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    to_image = cv2.getPerspectiveTransform(
        target.astype(np.float32), (corners - 0.5).astype(np.float32)
    )
    return cv2.warpPerspective(  # type: ignore[return-value]
        rgb,
        to_image,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _corners(
    shape: tuple[int, ...], strength: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return what is seen: its corners in pixels, [4, 2] as (x, y), clockwise from top left."""
    image = np.array(shape[1::-1], np.float64)
    area = 1.0 - strength * (1.0 - _SMALLEST_AREA) * random.random()
    stretch = _ASPECT ** (strength * random.uniform(-1, 1))
    share = np.sqrt(area * np.array([stretch, 1.0 / stretch]))
    share /= max(1.0, share.max())
    centre = image * random.uniform(share / 2, 1.0 - share / 2)
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    square += strength * _CORNER * random.uniform(-1, 1, (4, 2))
    angle = strength * _TURN * random.uniform(-1, 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return centre + (square * share * image) @ turn


def _shrunk(rgb: NDArray[np.uint8], across: float, down: float) -> NDArray[np.uint8]:
    """Shrink an image by two factors, so that each pixel counts."""
    width = max(1, round(rgb.shape[1] / across))
    height = max(1, round(rgb.shape[0] / down))
    return cv2.resize(  # type: ignore[return-value]
        rgb, (width, height), interpolation=cv2.INTER_AREA
    )
