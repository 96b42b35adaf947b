from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from selavpr_core.place_map import PlaceMap
from selavpr_ros.map_view.pictures import Plan, pictures, plan
from test.selavpr_core.place_map.maps import places, write_map
from test.selavpr_ros.map_view.conftest import drive


def textured(count: int) -> dict[str, object]:
    """Places whose pictures, of 200 x 150 pixels, do not compress well."""
    rng = np.random.default_rng(0)
    contents = drive(count, 0)
    contents["thumbnails"] = [
        cv2.imencode(".jpg", rng.integers(0, 255, (150, 200, 3), np.uint8))[1].tobytes()
        for _ in range(count)
    ]
    return contents


@pytest.fixture(scope="module")
def place_map(tmp_path_factory: pytest.TempPathFactory) -> PlaceMap:
    path = tmp_path_factory.mktemp("pictures")
    return PlaceMap.load(write_map(path / "map", {"a": textured(21), "b": textured(10)}))


def size(lines: list[str]) -> int:
    return sum(len(base64.b64decode(line)) for line in lines)


def test_pictures_shrink_until_they_fit(place_map: PlaceMap) -> None:
    whole = size(pictures(place_map, plan([place_map], 10**9)))
    for share in (0.8, 0.5):
        planned = plan([place_map], int(share * whole))
        assert planned.every == 1
        assert planned.side < 256
        lines = pictures(place_map, planned)
        assert size(lines) < 1.1 * share * whole
        assert all(lines)
        data = np.frombuffer(base64.b64decode(lines[0]), np.uint8)
        shape = cv2.imdecode(data, cv2.IMREAD_COLOR).shape
        assert shape[1] == min(planned.side, 200)
        assert shape[0] / shape[1] == pytest.approx(0.75, abs=0.01)


def test_then_some_places_go_without(place_map: PlaceMap) -> None:
    smallest = size(pictures(place_map, Plan(96, 1)))
    planned = plan([place_map], smallest // 3)
    assert (planned.side, planned.every) == (96, 4) or planned == Plan(96, 3)
    told: list[int] = []
    lines = pictures(place_map, planned, told.append)
    assert size(lines) < 1.2 * smallest / 3
    # Each segment begins with one, and no place is farther from one than the plan says.
    assert [bool(line) for line in lines] == [
        n % planned.every == 0 for count in (21, 10) for n in range(count)
    ]
    assert sum(told) >= len(place_map)


def test_the_budget_is_that_of_all_maps(place_map: PlaceMap) -> None:
    alone = plan([place_map], 200_000)
    assert plan([place_map, place_map, place_map], 600_000) == alone
    assert plan([place_map, place_map, place_map], 200_000) != alone


def test_pictures_that_are_none_are_left_out(tmp_path: Path) -> None:
    contents = places(6, 1)  # whose thumbnails are random bytes
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}))
    assert plan([place_map]) == Plan(256, 1)
    assert pictures(place_map, Plan(256, 1)) == [""] * 6
