from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.place_map import MapWriter, PlaceMap
from selavpr_ros.map_export import export_map
from selavpr_ros.map_export.kml import kml_lines
from selavpr_ros.map_view.colours import segment_colour
from test.selavpr_core.place_map.maps import LUND, MODEL, places
from test.selavpr_ros.map_export.conftest import bearing

KML = "{http://www.opengis.net/kml/2.2}"


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


def test_places_are_told_when_they_were_seen(place_map: PlaceMap) -> None:
    document = ElementTree.fromstring("".join(kml_lines(place_map)).encode())
    times = [when.text for when in document.iter(f"{KML}when")]
    seen = [datetime.fromisoformat(str(time).replace("Z", "+00:00")).timestamp() for time in times]
    np.testing.assert_allclose(seen, place_map.stamps / 1e9, atol=0.0011)


def test_segments_have_the_colours_of_the_page(place_map: PlaceMap) -> None:
    document = ElementTree.fromstring("".join(kml_lines(place_map)).encode())
    for number, style in enumerate(document.iter(f"{KML}Style")):
        if style.get("id") is None:
            break
        opacity, blue, green, red = bytes.fromhex(str(style.findtext(f"{KML}LineStyle/{KML}color")))
        assert opacity == 255
        assert (red, green, blue) == segment_colour(number)


@pytest.mark.parametrize(
    "source",
    ["/bags/a & b <c>.mcap", "]]>", "a\x00b\x1b[31m", "\ufffe\uffff", "tab\tline\n", "日本 🚗"],
)
def test_any_name_of_a_bag_gives_a_file_that_can_be_read(tmp_path: Path, source: str) -> None:
    with MapWriter(tmp_path / "map", MODEL, LUND) as writer, writer.segment("a", source) as segment:
        segment.add(**places(2))
    place_map = PlaceMap.load(tmp_path / "map")
    document = ElementTree.fromstring("".join(kml_lines(place_map)).encode())
    expected = "".join(c for c in source if c not in "\x00\x1b\ufffe\uffff")
    assert document.findtext(f".//{KML}description") == expected
