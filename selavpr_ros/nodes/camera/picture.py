"""The picture of ~/match_image: the query beside its match, with the verdict written on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT = 320  # of both images, pixels
BAR = 36  # height of the strip with the verdict
CAPTION = 24  # height of the strip below the images
MARGIN = 6

# Colours that people with any kind of colour vision tell apart (Okabe and Ito), RGB.
BACKGROUND = (24, 26, 30)
TEXT = (235, 235, 235)
DIMMED = (150, 152, 158)
FOUND = (0, 158, 115)
NOT_FOUND = (213, 94, 0)

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def decode_thumbnail(jpeg: bytes | None) -> NDArray[np.uint8] | None:
    """RGB pixels `[h, w, 3]` of a thumbnail; None where there is none or it cannot be decoded."""
    if not jpeg:
        return None
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.ascontiguousarray(pixels[:, :, ::-1])


def match_picture(
    query: NDArray[np.uint8],
    match: NDArray[np.uint8] | None,
    verdict: str,
    found: bool,
    captions: tuple[str, str],
) -> NDArray[np.uint8]:
    """Draw the query and its match side by side.

    Args:
        query: `[h, w, 3]` uint8 RGB.
        match: `[h, w, 3]` uint8 RGB; None draws an empty frame that says so.
        verdict: written above the images, on green where `found`, else on orange.
        captions: written below the query and below the match.

    Returns `[BAR + HEIGHT + CAPTION, w, 3]` uint8 RGB, contiguous.
    """
    left = _fit(query)
    right = _fit(match) if match is not None else _placeholder(left.shape[1])
    width = left.shape[1] + right.shape[1] + 3 * MARGIN
    canvas = np.full((BAR + HEIGHT + CAPTION, width, 3), BACKGROUND, np.uint8)
    canvas[:BAR] = FOUND if found else NOT_FOUND
    second = 2 * MARGIN + left.shape[1]
    canvas[BAR : BAR + HEIGHT, MARGIN : MARGIN + left.shape[1]] = left
    canvas[BAR : BAR + HEIGHT, second : second + right.shape[1]] = right
    _write(canvas, verdict, (MARGIN + 4, BAR - 12), width - 2 * MARGIN - 8, 0.62, TEXT, 1)
    baseline = BAR + HEIGHT + CAPTION - 8
    _write(canvas, captions[0], (MARGIN + 4, baseline), left.shape[1] - 8, 0.45, DIMMED, 1)
    _write(canvas, captions[1], (second + 4, baseline), right.shape[1] - 8, 0.45, DIMMED, 1)
    return canvas


def _fit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale to the common height; the shape is kept unless it is extremely wide or narrow."""
    height, width = image.shape[:2]
    scaled = min(max(round(width * HEIGHT / height), HEIGHT // 4), 4 * HEIGHT)
    shrinking = scaled < width
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (scaled, HEIGHT), interpolation=interpolation), np.uint8)


def _placeholder(width: int) -> NDArray[np.uint8]:
    frame = np.full((HEIGHT, width, 3), (40, 43, 48), np.uint8)
    _write(frame, "no picture was kept", (12, HEIGHT // 2), width - 24, 0.5, DIMMED, 1)
    return frame


def _write(
    canvas: NDArray[np.uint8],
    text: str,
    origin: tuple[int, int],
    room: int,
    scale: float,
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    """Write a line of text, made smaller and at last cut so that it fits into `room` pixels."""
    # The font has ASCII only; anything else would come out as question marks anyway.
    text = text.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    if width > room:
        scale = max(scale * room / width, 0.6 * scale)
        (width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
        while width > room and len(text) > 4:
            text = text[:-4] + "..."
            (width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    cv2.putText(canvas, text, origin, _FONT, scale, colour, thickness, cv2.LINE_AA)
