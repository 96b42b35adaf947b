from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer, margin
from selavpr_ros.map_view import Drive, answered_drive
from test.selavpr_core.place_map.maps import places, write_map
from test.selavpr_ros.map_view.conftest import queries_like


def test_queries_are_answered_and_judged(place_map: PlaceMap, answered: Drive) -> None:
    expected = np.arange(30)
    expected[::10] = 39
    assert answered.best.tolist() == expected.tolist()
    assert all(len(matches) == 5 for matches in answered.matches)
    errors, nearest = answered.errors(place_map), answered.nearest(place_map)
    for query, place in enumerate(expected):
        at = answered.queries.positions[query]
        assert errors[query] == pytest.approx(math.dist(at[:2], place_map.positions[place][:2]))
        distances = [math.dist(at[:2], position[:2]) for position in place_map.positions]
        assert nearest[query] == pytest.approx(min(distances))
    np.testing.assert_allclose(errors[1:10], 1.0)
    assert errors[0] > 20
    localizer = Localizer(place_map)
    assert answered.queries.codes is not None
    matches = localizer.localize(answered.queries.codes[0][3], answered.queries.gather([3])[0])
    assert answered.margins[3] == pytest.approx(margin(matches, place_map.positions))


def test_a_drive_of_another_frame_is_laid_over_the_map(place_map: PlaceMap, tmp_path: Path) -> None:
    queries = queries_like(place_map, tmp_path, 500.0, datum=None)
    drive = answered_drive(Localizer(place_map), queries, "odometry")
    assert drive.positions is not None
    errors = drive.errors(place_map)
    right = np.arange(30) % 10 != 0
    assert errors[right].max() < 0.5
    assert errors[~right].min() > 15
    assert "27 of 30 matches that agree" in drive.note


def test_a_drive_that_nothing_can_be_laid_by_has_no_errors(
    place_map: PlaceMap, tmp_path: Path
) -> None:
    path = write_map(tmp_path / "queries", {"noise": places(30, 99)}, datum=None)
    drive = answered_drive(Localizer(place_map), PlaceMap.load(path), "noise")
    assert drive.positions is None
    assert np.isnan(drive.errors(place_map)).all()
    assert np.isnan(drive.nearest(place_map)).all()
    assert drive.note.startswith("Where the queries were taken is not known")


def test_a_map_without_places_answers_nothing(place_map: PlaceMap, tmp_path: Path) -> None:
    empty = PlaceMap.load(write_map(tmp_path / "empty", {}))
    with pytest.raises(MapError, match="has no places"):
        answered_drive(Localizer(empty), place_map, "drive")
