"""What a reader of a dataset gives: one entry for each image it knows of."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from training.datasets.file_names import IMAGE_SUFFIXES
from training.errors import DatasetError


class Frame(NamedTuple):
    """Where in its clip a frame of video is.

    Attributes:
        clip: its number; clips of one source have different ones.
        position: of the frame among those of the clip, from 0.
        frames: how many the clip has.
    """

    clip: int
    position: int
    frames: int


class Candidate(NamedTuple):
    """An image as its dataset describes it.

    Attributes:
        path: relative to the source's root, with forward slashes.
        city: images of different cities never show the same place.
        easting, northing: UTM metres, or NaN where latitude and longitude are given.
        zone: of easting and northing, "10S"; "" where it is not known.
        latitude, longitude: WGS84 degrees, or NaN.
        heading: degrees in the dataset's own sense of rotation, or NaN.
        date: "2014-06", "2014" or "".
        place: the dataset's own number of the place, for sources with places of their own.
        frame: for sources of video.
    """

    path: str
    city: str
    easting: float = math.nan
    northing: float = math.nan
    zone: str = ""
    latitude: float = math.nan
    longitude: float = math.nan
    heading: float = math.nan
    date: str = ""
    place: int = 0
    frame: Frame | None = None


class Excluded(NamedTuple):
    """An image that does not go into the index.

    Attributes:
        path: as in Candidate, or the line of a table that names no image.
        city: "" where it is not known.
        reason: a few words, the same for all images that are left out for it.
        detail: what is wrong with this one; may be empty.
        faulty: the image or its entry is missing or damaged, rather than left out on purpose.
    """

    path: str
    city: str
    reason: str
    detail: str = ""
    faulty: bool = False


Entry: TypeAlias = Candidate | Excluded

MISSING = "missing"
UNREADABLE = "unreadable"
BAD_ENTRY = "entry without sense"
NO_HEADING = "no heading"
NO_POSITION = "no position"


class Source(Protocol):
    """A dataset where it lies. Making one checks that the folder has the layout it should have.

    Attributes:
        name: of the dataset in the index.
        root: the folder that the images' paths are relative to.
        version: of the reader; another one may read the same files otherwise.
        notes: what the user should know about what was found, a line each; complete once the
            entries have been read.
    """

    name: str
    root: Path
    version: int
    notes: Sequence[str]

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each image, in an order that depends on the files alone."""
        ...


def existing_folder(root: Path, *layouts: str, expected: str) -> Path:
    """Return the first of the layouts (folders or files below root) that is there.

    Raises:
        DatasetError: none is; the message says what was `expected` in the folder.
    """
    for layout in layouts:
        if root.is_dir() and (root / layout).exists():
            return root / layout
    problem = "is not that" if root.is_dir() else "is no folder"
    raise DatasetError(f"{root} {problem}: expected {expected}")


def images_below(folder: Path, root: Path) -> Iterator[str]:
    """Yield the paths of all images below a folder, relative to root, in sorted order.

    Hidden files and folders are passed over, links to folders are followed once.

    Raises:
        DatasetError: a folder cannot be listed.
    """
    seen: set[tuple[int, int]] = set()

    def walk(folder: Path) -> Iterator[str]:
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted((entry.name, entry.is_dir()) for entry in entries)
        except OSError as error:
            raise DatasetError(f"{folder} cannot be listed: {error.strerror}") from error
        base = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if base == "." else f"{base}/"
        for name, is_folder in found:
            if name.startswith("."):
                continue
            if is_folder:
                yield from walk(folder / name)
            elif name.lower().endswith(IMAGE_SUFFIXES):
                yield prefix + name

    yield from walk(folder)
