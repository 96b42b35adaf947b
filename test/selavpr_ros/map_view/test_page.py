from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import StorageError
from selavpr_core.place_map import Calibration, MapWriter, PlaceMap
from selavpr_core.retrieval import Localizer, Mode
from selavpr_ros.map_view import Drive, answered_drive, write_page
from test.selavpr_core.place_map.maps import MODEL, write_map
from test.selavpr_ros.map_view.conftest import drive, queries_like

LINKING = {"src", "href", "data", "action", "poster", "srcset"}


class Elements(HTMLParser):
    """The attributes of all elements, and the text of scripts by their id."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._inside = ""
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        self._inside = str(dict(attrs).get("id")) if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def data_of(page: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(Elements(page).scripts["data"])
    return found


def test_nothing_in_it_points_outside(page: Path) -> None:
    elements = Elements(page)
    linked = [(tag, a) for tag, a in elements.attributes if LINKING & a.keys()]
    assert linked == []
    text = page.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest", text)


def test_the_same_map_gives_the_same_bytes(place_map: PlaceMap, answered: Drive, page: Path,
                                           tmp_path: Path) -> None:  # fmt: skip
    write_page(tmp_path / "again.html", place_map, answered)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_every_place_is_in_it(place_map: PlaceMap, plain_page: Path) -> None:
    data = data_of(plain_page)
    assert data["drive"] is None
    places = data["places"]
    assert isinstance(places, dict)
    np.testing.assert_allclose(places["x"], place_map.positions[:, 0], atol=0.006)
    np.testing.assert_allclose(places["y"], place_map.positions[:, 1], atol=0.006)
    assert places["heading"][45] is None
    assert places["heading"][1] == pytest.approx(np.degrees(place_map.headings[1]), abs=0.06)
    assert places["stamp"] == (place_map.stamps // 10**6).tolist()
    assert [s["name"] for s in data["segments"]] == ["north", "a_b"]  # type: ignore[attr-defined]
    pictures = Elements(plain_page).scripts["pictures"].split("\n")
    assert len(pictures) == 80
    assert all(pictures)


def test_names_are_text_whatever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "</script><script>alert(1)<!--"[0:9].replace("/", "_")
    write_map(path, {"a": drive(3, 1)})
    with MapWriter(path, MODEL, PlaceMap.load(path).datum) as writer, writer.segment(
        "b", source="/bags/</script><script>alert(1)</script>{{data}}"
    ) as segment:  # fmt: skip
        segment.add(**drive(2, 2))
    write_page(tmp_path / "page.html", PlaceMap.load(path))
    data = data_of(tmp_path / "page.html")
    sources = [s["source"] for s in data["segments"]]  # type: ignore[attr-defined]
    assert sources[1] == "/bags/</script><script>alert(1)</script>{{data}}"
    assert "alert(1)</script>" not in (tmp_path / "page.html").read_text()


def test_a_calibration_draws_the_line(place_map: PlaceMap, answered: Drive, tmp_path: Path) -> None:
    found = Calibration(
        similarity=0.62, margin=0.04, wanted_precision=0.99, precision=0.995,
        precision_bound=0.99, recall=0.8, queries=300, outside=300, radius=12.0,
        mode="two-stage", candidates=100, places=80, source="test", created="2026-01-01",
    )  # fmt: skip
    path = tmp_path / "map"
    write_map(path, {"north": drive(40, 1)})
    with MapWriter(path, MODEL, PlaceMap.load(path).datum) as writer:
        writer.set_calibration(found)
    calibrated = PlaceMap.load(path)
    queries = queries_like(calibrated, tmp_path, 1.0)

    def line(mode: Mode, candidates: int, stored: Calibration) -> tuple[float, float, str]:
        with MapWriter(path, MODEL, calibrated.datum) as writer:
            writer.set_calibration(stored)
        place_map = PlaceMap.load(path)
        drive_ = answered_drive(Localizer(place_map, mode, candidates), queries, "again")
        write_page(tmp_path / "page.html", place_map, drive_)
        said = data_of(tmp_path / "page.html")["drive"]
        assert isinstance(said, dict)
        assert said["radius"] == 12
        return said["threshold"], said["least_margin"], said["threshold_from"]

    assert line("two-stage", 100, found) == (
        0.62, 0.04,
        "The map's calibration begins at 0.62, for a precision of 99.0%, and asks for a margin of"
        " 0.04.",
    )  # fmt: skip
    assert line("two-stage", 100, replace(found, precision=0.98))[2] == (
        "The map's calibration begins at 0.62, which comes closest to a precision of 99.0% (not"
        " reached), and asks for a margin of 0.04."
    )
    by_default = "this is where the node draws the line by default."
    assert line("float", 100, found) == (
        0.5, 0, f"The map is not calibrated for mode float with 100 candidates: {by_default}",
    )  # fmt: skip
    assert line("two-stage", 1, found) == (
        0.5, 0, f"The map is not calibrated for mode two-stage with 1 candidate: {by_default}",
    )  # fmt: skip
    assert line("float", 100, replace(found, mode="float", candidates=1)) == (
        0.62, 0,
        "The map's calibration begins at 0.62; its margin is not asked for, since it was found"
        " with 1 candidate.",
    )  # fmt: skip


def test_a_drive_without_positions_has_no_errors(
    place_map: PlaceMap, answered: Drive, tmp_path: Path
) -> None:
    lost = replace(answered, positions=None, headings=None, note="not known")
    write_page(tmp_path / "page.html", place_map, lost)
    said = data_of(tmp_path / "page.html")["drive"]
    assert isinstance(said, dict)
    assert said["errors_known"] is False
    for column in ("x", "y", "error", "turn", "nearest"):
        assert said[column] == [None] * 30


def test_a_map_without_places_has_a_page(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", PlaceMap.load(write_map(tmp_path / "map", {})))
    assert data_of(tmp_path / "page.html")["segments"] == []


def test_a_page_that_cannot_be_written_is_one_line(place_map: PlaceMap, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: there is no folder"):
        write_page(tmp_path / "nowhere" / "page.html", place_map)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be written: it is a folder"):
        write_page(tmp_path / "folder", place_map)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
