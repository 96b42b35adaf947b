"""A user's own images, whose EXIF data says where they were taken."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from training.datasets.file_names import month
from training.datasets.source import (
    NO_POSITION,
    UNREADABLE,
    Candidate,
    Entry,
    Excluded,
    existing_folder,
    images_below,
)

_TAKEN = 0x9003  # DateTimeOriginal


class OwnPhotos:
    """Reader of images with EXIF GPS data. See training.datasets.source.Source.

    The heading is GPSImgDirection. All images below the folder are of one city: photos of the same
    place in two of its folders must not be taken for two places.
    """

    version = 1
    notes: Sequence[str] = ()

    def __init__(self, root: Path, name: str) -> None:
        """Raise DatasetError if root is no folder."""
        self.name = name
        self.root = existing_folder(root, ".", expected="a folder of images with EXIF GPS data")

    def entries(self) -> Iterator[Entry]:
        """Yield the images below the folder."""
        for path in images_below(self.root, self.root):
            yield _entry(self.root, path, self.name)


def _entry(root: Path, path: str, city: str) -> Entry:
    try:
        gps, taken = _exif(root / path)
    # Damaged EXIF data shows as any of these in Pillow's parsers; it refuses huge images as bombs.
    except (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        KeyError,
        Image.DecompressionBombError,
    ) as error:
        return Excluded(path, city, UNREADABLE, str(error) or type(error).__name__, faulty=True)
    latitude = _degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S")
    longitude = _degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W")
    if math.isnan(latitude) or math.isnan(longitude):
        return Excluded(path, city, NO_POSITION, "no GPS position in its EXIF data")
    return Candidate(
        path,
        city,
        latitude=latitude,
        longitude=longitude,
        heading=_finite(gps.get(ExifTags.GPS.GPSImgDirection)),
        date=month(taken.replace(":", "-", 2)),
    )


def _exif(path: Path) -> tuple[Mapping[int, Any], str]:
    """Return an image's GPS tags, and when it was taken ("2024:05:06 10:11:12" or "")."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow says of damaged data, the report counts
        with Image.open(path) as image:
            exif = image.getexif()
            return (
                exif.get_ifd(ExifTags.IFD.GPSInfo),
                str(exif.get_ifd(ExifTags.IFD.Exif).get(_TAKEN, "")),
            )


def _degrees(gps: Mapping[int, Any], tag: int, reference: int, negative: str) -> float:
    """Degrees, minutes and seconds as one signed number of degrees, or NaN."""
    values = gps.get(tag)
    if not isinstance(values, (tuple, list)) or not values:
        return math.nan
    parts = [_finite(value) for value in values]
    size = sum(part / 60**power for power, part in enumerate(parts[:3]))
    return -size if str(gps.get(reference, "")).strip("\0 ").upper() == negative else size


def _finite(value: object) -> float:
    """A rational of EXIF data as a float; NaN for none, and for a division by zero."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    return number if math.isfinite(number) else math.nan
