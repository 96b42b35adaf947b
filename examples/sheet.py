"""A sheet of paper to draw an example's picture on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from examples.streets.materials import Colour, Image

_FINE = 2  # drawn so much larger, then reduced, for smooth lines


class Sheet:
    """A canvas addressed in pixels of the finished picture, x to the right and y down."""

    def __init__(self, width: int, height: int, paper: Colour) -> None:
        self._size = width, height
        self._image = np.full((height * _FINE, width * _FINE, 3), paper, np.uint8)

    def finished(self) -> Image:
        """Return the picture [height, width, 3] uint8 RGB."""
        small = cv2.resize(self._image, self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def line(
        self, points: ArrayLike, colour: Colour, width: float = 1.0, closed: bool = False
    ) -> None:
        """Draw a line through points [N, 2]."""
        scaled = np.round(np.asarray(points, float) * _FINE * 16).astype(np.int32)
        thick = max(1, round(width * _FINE))
        cv2.polylines(self._image, [scaled], closed, colour, thick, cv2.LINE_AA, 4)

    def polygon(self, points: ArrayLike, colour: Colour) -> None:
        """Fill a polygon with corners [N, 2]."""
        scaled = np.round(np.asarray(points, float) * _FINE * 16).astype(np.int32)
        cv2.fillPoly(self._image, [scaled], colour, cv2.LINE_AA, 4)

    def dot(self, point: ArrayLike, radius: float, colour: Colour, filled: bool = True) -> None:
        """Draw a disc, or a circle."""
        x, y = (round(float(value) * _FINE) for value in np.asarray(point, float))
        thick = -1 if filled else _FINE
        cv2.circle(self._image, (x, y), round(radius * _FINE), colour, thick, cv2.LINE_AA)

    def text(
        self, text: str, x: float, y: float, size: float, colour: Colour, bold: bool = False
    ) -> None:
        """Write with the baseline's left end at (x, y); `size` is about the height in pixels."""
        face = cv2.FONT_HERSHEY_DUPLEX if bold else cv2.FONT_HERSHEY_SIMPLEX
        scale = _fitting(text, face, size * _FINE)
        at = (round(x * _FINE), round(y * _FINE))
        cv2.putText(self._image, text, at, face, scale, colour, _FINE if bold else 2, cv2.LINE_AA)

    def picture(self, image: Image, left: float, top: float, width: float, height: float) -> None:
        """Paste a picture into a box, whole, in its own proportions, centred."""
        rows, columns = image.shape[:2]
        share = min(width / columns, height / rows)
        wide, high = round(columns * share * _FINE), round(rows * share * _FINE)
        x = round((left + 0.5 * (width - columns * share)) * _FINE)
        y = round((top + 0.5 * (height - rows * share)) * _FINE)
        method = cv2.INTER_AREA if share * _FINE < 1 else cv2.INTER_CUBIC
        self._image[y : y + high, x : x + wide] = cv2.resize(
            image, (wide, high), interpolation=method
        )


def _fitting(text: str, face: int, height: float) -> float:
    """OpenCV's scale at which capital letters are about 0.7 of `height` pixels high."""
    (_, high), _ = cv2.getTextSize("H", face, 1.0, 1)
    return 0.7 * height / max(high, 1)
