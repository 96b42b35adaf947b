from __future__ import annotations

import math
from pathlib import Path

import pytest

from test.training.datasets.trees import write_table
from training.datasets.own_table import OwnTable
from training.datasets.source import BAD_ENTRY, Candidate, Excluded
from training.errors import DatasetError


def entries(folder: Path, header: str, *rows: str) -> list[Candidate | Excluded]:
    path = write_table(folder / "t.csv", header.split(","), [row.split(",") for row in rows])
    return list(OwnTable(path, "mine").entries())


def test_geographic_positions(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, "path,latitude,longitude,heading", "a/1.jpg,48.1,11.5,270.5")
    assert isinstance(entry, Candidate)
    assert (entry.path, entry.city) == ("a/1.jpg", "mine")
    assert (entry.latitude, entry.longitude, entry.heading) == (48.1, 11.5, 270.5)
    assert math.isnan(entry.easting)


def test_metres_with_and_without_zone(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, "path,east,north,heading,zone", "1.jpg,-5,7.5,0,32u")
    assert isinstance(entry, Candidate)
    assert (entry.easting, entry.northing, entry.zone) == (-5, 7.5, "32U")
    (entry,) = entries(tmp_path, "path,east,north,heading", "1.jpg,-5,7.5,0")
    assert isinstance(entry, Candidate)
    assert entry.zone == ""


def test_other_spellings_city_and_date(tmp_path: Path) -> None:
    (entry,) = entries(
        tmp_path, "Speed,Image,LAT,Lon,Yaw,City,Date", "3,1.jpg,1,2,3,Ulm,2024-05-06T10:11:12"
    )
    assert isinstance(entry, Candidate)
    assert (entry.path, entry.latitude, entry.longitude) == ("1.jpg", 1, 2)
    assert (entry.heading, entry.city, entry.date) == (3, "Ulm", "2024-05")


def test_a_path_below_the_table_becomes_relative_to_it(tmp_path: Path) -> None:
    inside, outside = tmp_path / "t" / "images" / "1.jpg", tmp_path / "other" / "2.jpg"
    found = entries(
        tmp_path / "t", "path,lat,lon", f"{inside},1,2", f"{outside},1,2", "./3.jpg,1,2"
    )
    assert [entry.path for entry in found] == ["images/1.jpg", str(outside), "3.jpg"]
    assert OwnTable(tmp_path / "t" / "t.csv", "x").root == tmp_path / "t"


def test_what_a_line_lacks_is_reported_or_unknown(tmp_path: Path) -> None:
    header = "path,lat,lon,heading"
    no_path, no_position, no_heading = entries(
        tmp_path, header, ",1,2,3", "1.jpg,,x,3", "2.jpg,1,2"
    )
    assert no_path == Excluded("t.csv line 2", "mine", BAD_ENTRY, "no path", faulty=True)
    assert isinstance(no_position, Candidate)
    assert math.isnan(no_position.latitude)
    assert isinstance(no_heading, Candidate)
    assert math.isnan(no_heading.heading)


@pytest.mark.parametrize("header", ["lat,lon", "path,lat", "path,east", "path,lat,north", "path"])
def test_a_missing_column_is_one_line(tmp_path: Path, header: str) -> None:
    with pytest.raises(DatasetError, match="needs the columns path, latitude, longitude"):
        entries(tmp_path, header)


def test_whether_there_are_headings(tmp_path: Path) -> None:
    for header, expected in (("path,lat,lon,heading", True), ("path,lat,lon", False)):
        path = write_table(tmp_path / "t.csv", header.split(","), [])
        assert OwnTable(path, "x").has_headings is expected
