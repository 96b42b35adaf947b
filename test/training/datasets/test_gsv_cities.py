from __future__ import annotations

from pathlib import Path

import pytest

from test.training.datasets.trees import gsv_cities, write_table
from training.datasets.gsv_cities import GsvCities
from training.datasets.source import BAD_ENTRY, Candidate, Excluded
from training.errors import DatasetError

HEADER = ("place_id", "year", "month", "northdeg", "city_id", "lat", "lon", "panoid")


def test_every_line_names_an_image_that_is_there(tmp_path: Path) -> None:
    entries = list(GsvCities(gsv_cities(tmp_path)).entries())
    assert len(entries) == 12
    assert all(isinstance(entry, Candidate) for entry in entries)
    assert all((tmp_path / entry.path).is_file() for entry in entries)
    assert {entry.city for entry in entries} == {"London", "Phoenix"}


def test_a_name_holds_the_position_as_the_table_writes_it(tmp_path: Path) -> None:
    row = (12, 2014, 6, 5, "Rome", "41.9000000", "-012.5", "_x-Y")
    write_table(tmp_path / "Dataframes" / "Rome.csv", HEADER, [row])
    (tmp_path / "Images").mkdir()
    (entry,) = GsvCities(tmp_path).entries()
    assert entry == Candidate(
        path="Images/Rome/Rome_0000012_2014_06_005_41.9000000_-012.5__x-Y.jpg",
        city="Rome",
        easting=entry.easting,  # NaN
        northing=entry.northing,
        latitude=41.9,
        longitude=-12.5,
        heading=5,
        date="2014-06",
        place=12,
    )


@pytest.mark.parametrize("place", ["", "x", "-1", "99999999999"])
def test_a_line_without_sense_is_reported_by_its_number(tmp_path: Path, place: str) -> None:
    rows = [
        (place, 2014, 6, 5, "Rome", "41.9", "12.5", "x"),
        (1, 2014, 6, 5, "Rome", "4", "1", "y"),
    ]
    write_table(tmp_path / "Dataframes" / "Rome.csv", HEADER, rows)
    (tmp_path / "Images").mkdir()
    bad, good = GsvCities(tmp_path).entries()
    assert isinstance(bad, Excluded)
    assert (bad.path, bad.reason, bad.faulty) == ("Dataframes/Rome.csv line 2", BAD_ENTRY, True)
    assert isinstance(good, Candidate)


@pytest.mark.parametrize("lacking", ["Images", "Dataframes", "tables"])
def test_a_folder_without_its_parts_is_refused(tmp_path: Path, lacking: str) -> None:
    for part in {"Images", "Dataframes"} - {lacking}:
        (tmp_path / part).mkdir()
    with pytest.raises(DatasetError, match="expected GSV-Cities with Dataframes"):
        GsvCities(tmp_path)


def test_a_table_without_a_column_is_an_error(tmp_path: Path) -> None:
    gsv_cities(tmp_path)
    write_table(tmp_path / "Dataframes" / "Oslo.csv", HEADER[:-1], [])
    with pytest.raises(DatasetError, match=r"Oslo\.csv has no column panoid"):
        list(GsvCities(tmp_path).entries())
