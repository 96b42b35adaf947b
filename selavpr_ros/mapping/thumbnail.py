"""Small pictures of places, to show beside a query."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 256
"""Pixels: enough to judge a match by eye."""

_QUALITY = 80


def thumbnail(image: NDArray[np.uint8], longest_side: int = LONGEST_SIDE) -> bytes:
    """Return a JPEG of an RGB image [H, W, 3] uint8, no side longer than `longest_side`.

    Smaller images keep their size.
    """
    height, width = image.shape[:2]
    scale = min(1.0, longest_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"OpenCV cannot write a JPEG of {list(image.shape)}")
    return jpeg.tobytes()
