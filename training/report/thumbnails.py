"""Images as data URIs of bounded size."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.errors import UndecodableImageError
from training.images import read_rgb

_QUALITIES = (82, 60, 35, 15)  # of JPEG: the first that keeps the picture within the bound
BOUND = 24_000  # bytes of one picture before base64


@dataclass(frozen=True)
class Picture:
    """A picture in the page.

    uri: of its JPEG, None where the file could not be read. width, height: pixels. reason: why it
    could not be read.
    """

    uri: str | None
    width: int
    height: int
    reason: str = ""


def thumbnail(path: Path, width: int = 320, height: int = 240) -> Picture:
    """Return an image file reduced into a box, in its own proportions; a reason if unreadable."""
    try:
        image = read_rgb(path)
    except UndecodableImageError as error:
        return Picture(None, width, height, error.reason)
    return picture(fitted(image, width, height))


def fitted(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Reduce an image [H, W, 3] into a box, in its own proportions; smaller ones stay."""
    rows, columns = image.shape[:2]
    share = min(width / columns, height / rows, 1.0)
    size = (max(1, round(columns * share)), max(1, round(rows * share)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def picture(image: NDArray[np.uint8]) -> Picture:
    """Return pixels [H, W, 3], RGB uint8, as a JPEG of at most `BOUND` bytes if quality allows."""
    for quality in _QUALITIES:
        encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        if encoded.nbytes <= BOUND:
            break
    uri = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    return Picture(uri, image.shape[1], image.shape[0])
