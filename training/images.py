"""Images of datasets, from file to pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.errors import UndecodableImageError


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return an image file's pixels, RGB uint8 [H, W, 3].

    Decoded by Pillow, as in the published training. Raises UndecodableImageError where the file
    is missing, cut short or no image.
    """
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except FileNotFoundError as error:
        raise UndecodableImageError(path, "there is no such file") from error
    except UnidentifiedImageError as error:
        raise UndecodableImageError(path, "not an image") from error
    # Pillow's decoders raise SyntaxError and ValueError, too, for files that are damaged.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UndecodableImageError(path, reason) from error
