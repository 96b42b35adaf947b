from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.datasets.file_names import ImageName, month, parse_image_name
from training.errors import DatasetError

FULL = "@0549678.37@4178000.12@10@S@037.77386@-122.43590@pano-1@25@120@3@4@5@20140627_08@night@.jpg"


def test_every_field_is_read() -> None:
    assert parse_image_name(FULL) == ImageName(
        easting=549678.37,
        northing=4178000.12,
        zone="10S",
        latitude=37.77386,
        longitude=-122.4359,
        pano_id="pano-1",
        tile=25,
        heading=120.0,
        timestamp="20140627_08",
        note="night",
    )


@pytest.mark.parametrize("folder", ["", "set/", "/data/me@work/@1@2@/", "a@b/c.jpg/"])
def test_only_the_base_name_counts(folder: str) -> None:
    assert parse_image_name(folder + FULL) == parse_image_name(FULL)


@pytest.mark.parametrize(
    "name",
    [
        "@1.50@-2.25@.jpg",
        "@1.50@-2.25.jpg",
        "@1.50@-2.25.JPEG",
        "@1.50@-2.25",
        "@1.50@-2.25@@@.png",
    ],
)
def test_only_easting_and_northing_are_required(name: str) -> None:
    found = parse_image_name(name)
    assert (found.easting, found.northing) == (1.5, -2.25)
    assert (found.zone, found.latitude, found.longitude) == (None, None, None)
    assert (found.tile, found.heading, found.pano_id, found.timestamp) == (None, None, "", "")


@pytest.mark.parametrize("name", ["image.jpg", "@@2@.jpg", "@1@x@.jpg", "@nan@1@.jpg", "", "@1"])
def test_a_name_without_a_position_is_an_error_that_shows_it(name: str) -> None:
    with pytest.raises(DatasetError, match="is no name of the form"):
        parse_image_name(f"folder/{name}")


@pytest.mark.parametrize(
    ("number", "letter", "zone"),
    [
        ("05", "S", "5S"),
        ("60", "c", "60C"),
        ("61", "S", None),
        ("0", "S", None),
        ("10", "I", None),
        ("10", "", None),
        ("", "S", None),
        ("x", "S", None),
        ("²", "S", None),
    ],
)
def test_zone(number: str, letter: str, zone: str | None) -> None:
    assert parse_image_name(f"@1@2@{number}@{letter}@@@@@@@@@@@.jpg").zone == zone


@given(st.floats(0, 1e7), st.floats(-1e7, 1e7), st.floats(0, 360))
def test_what_is_written_comes_back(easting: float, northing: float, heading: float) -> None:
    found = parse_image_name(f"@{easting!r}@{northing!r}@@@@@@@{heading!r}@@@@@@.jpg")
    assert (found.easting, found.northing, found.heading) == (easting, northing, heading)


@given(st.text())
def test_any_text_is_read_or_refused(name: str) -> None:
    try:
        found = parse_image_name(name)
    except DatasetError:
        return
    assert math.isfinite(found.easting)
    assert math.isfinite(found.northing)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("", ""),
        ("2014", "2014"),
        ("201406", "2014-06"),
        ("20140627_081500", "2014-06"),
        ("2014-06-27", "2014-06"),
        ("201413", "2014"),
        ("yesterday", ""),
    ],
)
def test_month(timestamp: str, expected: str) -> None:
    assert month(timestamp) == expected
