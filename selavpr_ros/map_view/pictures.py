"""Thumbnails made small enough that all of a map's fit into one page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_map import PlaceMap

BUDGET = 15_000_000
"""Bytes of all pictures of a page; a third more as text. A browser opens that in a second."""

_SIDES = (256, 192, 160, 128, 96)  # pixels of the longest side, the first that fits
_SAMPLE = 48  # pictures that tell how large all will be
_WEBP = cv2.haveImageWriter("picture.webp")  # half the size of a JPEG that looks as good
_SUFFIX = ".webp" if _WEBP else ".jpg"
_QUALITY = [cv2.IMWRITE_WEBP_QUALITY if _WEBP else cv2.IMWRITE_JPEG_QUALITY, 50]
MEDIA_TYPE = "image/webp" if _WEBP else "image/jpeg"


class Plan(NamedTuple):
    """How small pictures must be: pixels of the longest side, and every how many places one."""

    side: int
    every: int


def plan(maps: list[PlaceMap], budget: int = BUDGET) -> Plan:
    """Find the largest pictures with which all places of these maps stay within the budget."""
    total = sum(len(place_map) for place_map in maps)
    sample = [
        decoded
        for place_map in maps
        for place in np.unique(np.linspace(0, len(place_map) - 1, _SAMPLE).astype(int))
        if len(place_map) and (decoded := _decoded(place_map, int(place))) is not None
    ]
    if not sample:
        return Plan(_SIDES[0], 1)
    mean = 0.0
    for side in _SIDES:
        mean = sum(len(_encoded(picture, side)) for picture in sample) / len(sample)
        if mean * total <= budget:
            return Plan(side, 1)
    return Plan(_SIDES[-1], -int(-mean * total // budget))


def pictures(
    place_map: PlaceMap, planned: Plan, progress: Callable[[int], object] | None = None
) -> list[str]:
    """Return base64 of each place's picture; "" for places without one, or left out by the plan."""
    lines = [""] * len(place_map)
    for _, places in place_map.numbered_segments():
        for place in places[:: planned.every]:
            picture = _decoded(place_map, place)
            if picture is not None:
                lines[place] = base64.b64encode(_encoded(picture, planned.side)).decode()
            if progress is not None:
                progress(planned.every)
    return lines


def _decoded(place_map: PlaceMap, place: int) -> NDArray[np.uint8] | None:
    jpeg = place_map.thumbnail(place)
    if jpeg is None:
        return None
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if picture is None else picture.astype(np.uint8, copy=False)


def _encoded(picture: NDArray[np.uint8], side: int) -> bytes:
    scale = side / max(picture.shape[:2])
    if scale < 1:
        height, width = picture.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    done, encoded = cv2.imencode(_SUFFIX, picture, _QUALITY)
    if not done:
        raise ValueError(f"OpenCV cannot write a picture of {list(picture.shape)}")
    return encoded.tobytes()
