"""Images of datasets, from file to pixels."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from training.errors import UndecodableImageError

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return an image file's pixels, RGB uint8 [H, W, 3].

    Decoded by Pillow, as in the published training, and turned as the file's EXIF data say: a
    robot, which decodes by OpenCV, sees it so. Raises UndecodableImageError where the file
    is missing, cut short or no image.
    """
    try:
        with Image.open(path) as image:
            return np.array(_upright(image).convert("RGB"))
    except FileNotFoundError as error:
        raise UndecodableImageError(path, "there is no such file") from error
    except UnidentifiedImageError as error:
        raise UndecodableImageError(path, "not an image") from error
    # Pillow's decoders raise SyntaxError and ValueError, too, for files that are damaged.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UndecodableImageError(path, reason) from error


def _upright(image: Image.Image) -> Image.Image:
    """Return the image turned as its EXIF data say; where these are damaged, as it is.

    Pillow's own exif_transpose writes the data anew, and fails on pictures that are sound.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, TypeError, ValueError, KeyError, struct.error):
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)
