from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer
from selavpr_ros.map_view import Drive, answered_drive, write_page
from test.chromium import browser  # noqa: F401 - a fixture
from test.selavpr_core.place_map.maps import LUND, places, write_map


def picture(number: int) -> bytes:
    """A JPEG of 64 x 48 pixels with a bar for each place: no two are the same."""
    image = np.full((48, 64, 3), 200, np.uint8)
    image[:, number % 60 : number % 60 + 4] = (40, 90 + number, 160)
    return cv2.imencode(".jpg", image)[1].tobytes()


def drive(count: int, seed: int, north: float = 0.0) -> dict[str, Any]:
    """Places 2 m apart along a bow, `north` metres beside it, with pictures."""
    contents = places(count, seed)
    along = 2.0 * np.arange(count)
    contents["positions"] = np.stack([along, 0.004 * along**2 + north, 0 * along], axis=1)
    contents["headings"] = np.arctan(0.008 * along)
    contents["stamps"] = 1_700_000_000_000_000_000 + np.arange(count) * 10**9
    contents["thumbnails"] = [picture(seed + n) for n in range(count)]
    return contents


@pytest.fixture(scope="session")
def place_map(tmp_path_factory: pytest.TempPathFactory) -> PlaceMap:
    """80 places of two drives, the second with a name that HTML must escape."""
    path = tmp_path_factory.mktemp("view") / "campus"
    second = drive(40, 2, north=3.0)
    second["headings"][5] = np.nan
    return PlaceMap.load(write_map(path, {"north": drive(40, 1), "a&b": second}))


def queries_like(
    place_map: PlaceMap, folder: Path, shift: float, datum: Datum | None = LUND
) -> PlaceMap:
    """30 queries along the map's first drive, `shift` metres off; every tenth looks like the end.

    Those that are right look exactly like their place.
    """
    contents = drive(30, 7)
    seen = np.arange(30)
    seen[::10] = 39  # at least 20 m off
    contents["descriptors"] = place_map.gather(seen)
    lengths = np.linalg.norm(contents["descriptors"], axis=1, keepdims=True)
    contents["descriptors"] = contents["descriptors"] / lengths
    assert place_map.codes is not None
    contents["codes"] = place_map.codes[0][seen]
    contents["positions"][:, 1] += shift
    return PlaceMap.load(write_map(folder / "queries", {"again": contents}, datum=datum))


@pytest.fixture(scope="session")
def answered(place_map: PlaceMap, tmp_path_factory: pytest.TempPathFactory) -> Drive:
    queries = queries_like(place_map, tmp_path_factory.mktemp("drive"), 1.0)
    return answered_drive(Localizer(place_map), queries, "tuesday.mcap")


@pytest.fixture(scope="session")
def page(place_map: PlaceMap, answered: Drive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with everything that there is."""
    path = tmp_path_factory.mktemp("page") / "view.html"
    write_page(path, place_map, answered)
    return path


@pytest.fixture(scope="session")
def plain_page(place_map: PlaceMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a map alone."""
    path = tmp_path_factory.mktemp("page") / "map.html"
    write_page(path, place_map)
    return path
