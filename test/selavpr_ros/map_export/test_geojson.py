from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.map_export import export_map
from selavpr_ros.map_export.geojson import geojson_lines
from test.selavpr_core.place_map.maps import places, write_map
from test.selavpr_ros.map_export.conftest import bearing


def test_geojson_has_a_point_a_place_and_a_line_a_segment(
    place_map: PlaceMap, tmp_path: Path
) -> None:
    output = tmp_path / "map.geojson"
    export_map(place_map, output, "geojson")
    features = json.loads(output.read_text("utf-8"))["features"]
    lines = [f for f in features if f["geometry"]["type"] == "LineString"]
    points = [f for f in features if f["geometry"]["type"] == "Point"]
    assert len(points) == 7
    (line,) = lines  # one place makes no line
    assert line["geometry"]["coordinates"] == [p["geometry"]["coordinates"] for p in points[:6]]
    assert line["properties"]["segment"] == place_map.segments[0].name
    assert place_map.datum is not None
    for place, point in enumerate(points):
        longitude, latitude, altitude = point["geometry"]["coordinates"]
        said = point["properties"]
        expected = place_map.positions[place]
        back = place_map.datum.to_map(latitude, longitude, altitude)
        np.testing.assert_allclose(back, expected, atol=0.02)
        assert said["place"] == place
        assert said["stamp"] == place_map.stamps[place]
        assert (said["x"], said["y"]) == pytest.approx(expected[:2], abs=0.001)
        if place == 2:
            assert said["heading"] is None
        else:
            # 0.1 degrees: the convergence's formula is good to 1e-4 rad, and it is rounded.
            turn = (said["heading"] - bearing(place_map, place) + 180) % 360 - 180
            assert turn == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_line_is_cut_at_the_date_line(tmp_path: Path, cut: int) -> None:
    """By the RFC's section 3.1.9; a part of one place is no line."""
    contents = places(4, 1)
    contents["positions"][:] = [[50 * n if n < cut else 250 + 50 * n, 0, 0] for n in range(4)]
    datum = Datum.at(-16.8, 179.999, 0.0)
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}, datum=datum))
    features = json.loads("".join(geojson_lines(place_map)))["features"]
    line, *points = [feature["geometry"] for feature in features]
    east_of_it = [point["coordinates"][0] < 0 for point in points]
    assert east_of_it == [n >= cut for n in range(4)]
    parts = [points[:cut], points[cut:]]
    lines = [[point["coordinates"] for point in part] for part in parts if len(part) > 1]
    if len(lines) == 2:
        assert line == {"type": "MultiLineString", "coordinates": lines}
    else:
        assert line == {"type": "LineString", "coordinates": lines[0]}


def test_two_places_on_both_sides_of_the_date_line_make_no_line(tmp_path: Path) -> None:
    contents = places(2, 1)
    contents["positions"][:] = [[0, 0, 0], [300, 0, 0]]
    datum = Datum.at(-16.8, 179.999, 0.0)
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}, datum=datum))
    line, first, second = json.loads("".join(geojson_lines(place_map)))["features"]
    assert line["geometry"] == {"type": "MultiLineString", "coordinates": []}
    assert first["geometry"]["coordinates"][0] > 0 > second["geometry"]["coordinates"][0]


def test_unknown_values_are_null(tmp_path: Path) -> None:
    contents = places(2, 1)
    for name in ("headings", "position_sigmas"):
        contents[name][0] = np.nan
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}))
    _, unknown, known = json.loads("".join(geojson_lines(place_map)))["features"]
    for name in ("heading", "position_sigma"):
        assert unknown["properties"][name] is None
        assert isinstance(known["properties"][name], float)
