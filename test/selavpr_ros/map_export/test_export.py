from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from selavpr_core.errors import MapError, StorageError
from selavpr_core.place_map import PlaceMap
from selavpr_ros.map_export import FORMATS, export_map, format_of
from test.selavpr_core.place_map.maps import places, write_map


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


@pytest.mark.parametrize("kind", FORMATS)
def test_progress_counts_places(tmp_path: Path, kind: str) -> None:
    segments = {"a": places(3), "b": places(1), "c": places(5)}
    place_map = PlaceMap.load(write_map(tmp_path / "map", segments))
    steps: list[int] = []
    export_map(place_map, tmp_path / "out", kind, steps.append)
    assert steps == [1] * 9


def test_a_file_that_cannot_be_written_is_one_line(place_map: PlaceMap, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: there is no folder"):
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
