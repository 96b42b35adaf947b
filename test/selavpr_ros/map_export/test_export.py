from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError, StorageError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.map_export import FORMATS, export_map, format_of
from test.selavpr_core.place_map.maps import places, write_map

KML = "{http://www.opengis.net/kml/2.2}"
HELSINGOR = Datum.at(55.75, 11.97, 10.0)  # far from its zone's meridian: grid north is turned


@pytest.fixture
def place_map(tmp_path: Path) -> PlaceMap:
    """Two segments, one of them with a name that XML and JSON must escape."""
    contents = {"north & <south>": places(6, 1), "lone": places(1, 2)}
    contents["north & <south>"]["headings"][2] = np.nan
    return PlaceMap.load(write_map(tmp_path / "map", contents, datum=HELSINGOR))


def bearing(place_map: PlaceMap, place: int) -> float:
    """Degrees clockwise from true north, from a step ahead on the ground."""
    assert place_map.datum is not None
    heading = float(place_map.headings[place])
    ahead = place_map.positions[place] + [math.cos(heading), math.sin(heading), 0]
    (lat, lon, _), (lat2, lon2, _) = (
        place_map.datum.to_wgs84(position) for position in (place_map.positions[place], ahead)
    )
    # The ellipsoid's radii of curvature, east-west over north-south.
    flattened = (1 - 0.00669438 * math.sin(math.radians(lat)) ** 2) / (1 - 0.00669438)
    east = (lon2 - lon) * math.cos(math.radians(lat)) * flattened
    return math.degrees(math.atan2(east, lat2 - lat)) % 360


def test_geojson_has_a_point_a_place_and_a_line_a_segment(
    place_map: PlaceMap, tmp_path: Path
) -> None:
    output = tmp_path / "map.geojson"
    told: list[int] = []
    export_map(place_map, output, "geojson", told.append)
    features = json.loads(output.read_text("utf-8"))["features"]
    lines = [f for f in features if f["geometry"]["type"] == "LineString"]
    points = [f for f in features if f["geometry"]["type"] == "Point"]
    assert len(told) >= len(features)
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


def test_a_line_is_cut_at_the_date_line(tmp_path: Path) -> None:
    contents = places(4, 1)
    datum = Datum.at(-16.8, 179.999, 0.0)
    contents["positions"][:] = [[0, 0, 0], [50, 0, 0], [250, 0, 0], [300, 0, 0]]
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}, datum=datum))
    export_map(place_map, tmp_path / "map.geojson", "geojson")
    line = json.loads((tmp_path / "map.geojson").read_text())["features"][0]["geometry"]
    assert line["type"] == "MultiLineString"
    west, east = line["coordinates"]
    assert (len(west), len(east)) == (2, 2)
    assert all(longitude > 0 for longitude, _, _ in west)
    assert all(longitude < 0 for longitude, _, _ in east)


def test_kml_has_a_folder_a_segment_with_its_line_and_places(
    place_map: PlaceMap, tmp_path: Path
) -> None:
    export_map(place_map, tmp_path / "map.kml", "kml")
    document = ElementTree.parse(tmp_path / "map.kml").getroot().find(f"{KML}Document")
    assert document is not None
    folders = document.findall(f"{KML}Folder")
    assert [f.findtext(f"{KML}name") for f in folders] == [s.name for s in place_map.segments]
    assert folders[0].findtext(f"{KML}description") == place_map.segments[0].source
    line = folders[0].findtext(f"{KML}Placemark/{KML}LineString/{KML}coordinates")
    assert line is not None
    points = folders[0].findall(f"{KML}Placemark/{KML}Point/{KML}coordinates")
    assert line.split() == [point.text for point in points]
    assert len(points) == 6
    assert place_map.datum is not None
    longitude, latitude, altitude = map(float, str(points[3].text).split(","))
    back = place_map.datum.to_map(latitude, longitude, altitude)
    np.testing.assert_allclose(back, place_map.positions[3], atol=0.02)
    turned = [p.findtext(f"{KML}Style/{KML}IconStyle/{KML}heading") for p in folders[0]][-6:]
    assert turned[2] is None
    assert turned[3] is not None
    # Google's arrow points down where it is not turned.
    turn = (float(turned[3]) - 180 - bearing(place_map, 3) + 180) % 360 - 180
    assert turn == pytest.approx(0, abs=0.1)
    styles = {f"#{style.get('id')}" for style in document.findall(f"{KML}Style")}
    assert {url.text for url in document.iter(f"{KML}styleUrl")} == styles


def test_tum_is_in_the_order_of_stamps(place_map: PlaceMap, tmp_path: Path) -> None:
    export_map(place_map, tmp_path / "map.tum", "tum")
    lines = (tmp_path / "map.tum").read_text().splitlines()
    assert lines[0].startswith("# timestamp tx ty tz qx qy qz qw")
    rows = np.array([[float(word) for word in line.split()] for line in lines[1:]])
    order = place_map.stamps.argsort()
    stamps = [line.split()[0] for line in lines[1:]]
    assert [int(stamp.replace(".", "")) for stamp in stamps] == place_map.stamps[order].tolist()
    np.testing.assert_allclose(rows[:, 1:4], place_map.positions[order], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows[:, 4:], axis=1), 1, atol=1e-8)
    headings = np.nan_to_num(place_map.headings[order])
    np.testing.assert_allclose(2 * np.arctan2(rows[:, 6], rows[:, 7]), headings, atol=1e-6)
    assert (rows[:, 4:6] == 0).all()


def test_a_map_without_a_datum_has_a_trajectory_alone(tmp_path: Path) -> None:
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": places(3)}, datum=None))
    for kind in ("geojson", "kml"):
        with pytest.raises(MapError, match=r"has no datum.*--format tum"):
            export_map(place_map, tmp_path / "out", kind)
    assert {path.name for path in tmp_path.iterdir()} == {"map"}
    export_map(place_map, tmp_path / "out", "tum")
    assert len((tmp_path / "out").read_text().splitlines()) == 4


@pytest.mark.parametrize("kind", FORMATS)
def test_a_map_without_places_gives_a_file_that_can_be_read(tmp_path: Path, kind: str) -> None:
    place_map = PlaceMap.load(write_map(tmp_path / "map", {}))
    export_map(place_map, tmp_path / "out", kind)
    text = (tmp_path / "out").read_text()
    if kind == "geojson":
        assert json.loads(text)["features"] == []
    elif kind == "kml":
        ElementTree.fromstring(text.encode())
    else:
        assert text.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_line(place_map: PlaceMap, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        export_map(place_map, tmp_path / "nowhere" / "out", "tum")
    with pytest.raises(MapError, match="choose one of geojson, kml, tum"):
        export_map(place_map, tmp_path / "out", "gpx")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.geojson", "geojson"), ("a.JSON", "geojson"), ("a.kml", "kml"), ("a.tum", "tum"),
     ("a.txt", "tum"), ("a.gpx", None), ("a", None)],
)  # fmt: skip
def test_the_name_says_the_format(name: str, kind: str | None) -> None:
    assert format_of(Path(name)) == kind
