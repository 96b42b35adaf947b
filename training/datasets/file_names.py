"""Image names with `@` fields, as VPR-datasets-downloader, SF-XL and their followers write them.

@E@N@zone@letter@lat@lon@pano_id@tile@heading@pitch@roll@height@timestamp@note@.jpg
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from training.errors import DatasetError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

_FIELDS = 15  # what stands before E counts as one
_LATITUDE_BANDS = frozenset("CDEFGHJKLMNPQRSTUVWX")
_TIMESTAMP = re.compile(r"(\d{4})-?(\d{2})?")


@dataclass(frozen=True)
class ImageName:
    """What the name of an image says.

    Attributes:
        easting, northing: UTM, metres.
        zone: UTM zone with its latitude band, "10S"; None where the name has none.
        latitude, longitude: WGS84 degrees, or None.
        pano_id: of the panorama that the image was cut from; may be empty.
        tile: number of the cut in its panorama, or None.
        heading: degrees in the dataset's own sense of rotation, or None.
        timestamp: YYYY[MM[DD[_hh[mm[ss]]]]]; may be empty.
        note: free text; may be empty.
    """

    easting: float
    northing: float
    zone: str | None
    latitude: float | None
    longitude: float | None
    pano_id: str
    tile: int | None
    heading: float | None
    timestamp: str
    note: str


def parse_image_name(name: str) -> ImageName:
    """Read the `@` fields of an image's name.

    Args:
        name: a file name; of a whole path only the base name counts, so that a folder with an `@`
            in its name does no harm. Fields after N may be missing or empty; a number that cannot
            be read is as good as empty.

    Raises:
        DatasetError: there is no easting and northing in the name.
    """
    base = name.rsplit("/", 1)[-1]
    stem, _, suffix = base.rpartition(".")
    fields = (stem if f".{suffix.lower()}" in IMAGE_SUFFIXES else base).split("@")
    fields += [""] * (_FIELDS - len(fields))
    easting, northing = _number(fields[1]), _number(fields[2])
    if easting is None or northing is None:
        raise DatasetError(f"{base!r} is no name of the form @easting@northing@...@.jpg")
    tile = _number(fields[8])
    return ImageName(
        easting=easting,
        northing=northing,
        zone=_zone(fields[3], fields[4]),
        latitude=_number(fields[5]),
        longitude=_number(fields[6]),
        pano_id=fields[7],
        tile=None if tile is None else int(tile),
        heading=_number(fields[9]),
        timestamp=fields[13],
        note=fields[14],
    )


def month(timestamp: str) -> str:
    """Return "2014-06", "2014" or "" (unknown) for what a timestamp or an ISO date begins with."""
    found = _TIMESTAMP.match(timestamp)
    if not found or not 1 <= int(found[2] or 1) <= 12:
        return found[1] if found else ""
    return "-".join(part for part in found.groups() if part)


def _number(field: str) -> float | None:
    try:
        number = float(field)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _zone(number: str, letter: str) -> str | None:
    if number.isascii() and number.isdigit() and 1 <= int(number) <= 60:
        band = letter.upper()
        if band in _LATITUDE_BANDS:
            return f"{int(number)}{band}"
    return None
