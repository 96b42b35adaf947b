from __future__ import annotations

import math
from pathlib import Path

import pytest

from test.training.datasets.trees import msls, write_table
from training.datasets.msls import PANORAMA, TRAIN_CITIES, Msls
from training.datasets.source import BAD_ENTRY, Candidate, Excluded
from training.errors import DatasetError

HEADER = ("", "key", "lon", "lat", "ca", "captured_at", "pano")


def one_city(root: Path, rows: list[tuple[object, ...]]) -> Msls:
    for side, content in (("database", rows), ("query", [])):
        folder = root / "train_val" / "goa" / side
        write_table(folder / "raw.csv", HEADER, [(0, *row) for row in content])
    return Msls(root)


def test_database_and_queries_are_one_set_without_panoramas(tmp_path: Path) -> None:
    entries = list(Msls(msls(tmp_path)).entries())
    kept = [entry for entry in entries if isinstance(entry, Candidate)]
    assert all((tmp_path / entry.path).is_file() for entry in entries)
    assert len(kept) == 10
    assert {entry.city for entry in kept} == {"amman", "zurich"}
    assert sum("/query/" in entry.path for entry in kept) == 4
    left_out = [entry for entry in entries if isinstance(entry, Excluded)]
    assert [(entry.reason, entry.faulty) for entry in left_out] == [(PANORAMA, False)] * 4


@pytest.mark.parametrize(
    ("angle", "heading"), [("120.9", 120), ("0.4", 0), ("359.99", 359), ("-0.5", 0), ("360", 360)]
)
def test_the_compass_angle_is_cut(tmp_path: Path, angle: str, heading: int) -> None:
    (entry,) = one_city(tmp_path, [("k", 73.8, 15.5, angle, "2016-05-04", False)]).entries()
    assert isinstance(entry, Candidate)
    assert entry.heading == heading
    assert (entry.latitude, entry.longitude, entry.date) == (15.5, 73.8, "2016-05")


def test_an_empty_compass_angle_is_no_heading(tmp_path: Path) -> None:
    (entry,) = one_city(tmp_path, [("k", 73.8, 15.5, "", "", False)]).entries()
    assert isinstance(entry, Candidate)
    assert math.isnan(entry.heading)


def test_milliseconds_are_a_date(tmp_path: Path) -> None:
    (entry,) = one_city(tmp_path, [("k", 73.8, 15.5, 1, 1462348800000, False)]).entries()
    assert isinstance(entry, Candidate)
    assert entry.date == "2016-05"


def test_a_line_without_key_is_reported(tmp_path: Path) -> None:
    (entry,) = one_city(tmp_path, [("", 73.8, 15.5, 1, "", False)]).entries()
    assert isinstance(entry, Excluded)
    assert entry.path == "train_val/goa/database/raw.csv line 2"
    assert (entry.reason, entry.faulty) == (BAD_ENTRY, True)


def test_22_cities_and_no_other(tmp_path: Path) -> None:
    assert len(TRAIN_CITIES) == 22
    assert not {"cph", "sf", "miami"} & set(TRAIN_CITIES)
    source = Msls(msls(tmp_path, [*TRAIN_CITIES, "cph", "sf"]))
    assert {entry.city for entry in source.entries()} == set(TRAIN_CITIES)
    assert not source.notes


def test_cities_that_are_not_there_are_named(tmp_path: Path) -> None:
    (note,) = Msls(msls(tmp_path)).notes
    assert note.startswith("20 of the 22 train cities are not there: amsterdam, austin")


def test_the_train_val_folder_itself_will_do(tmp_path: Path) -> None:
    msls(tmp_path)
    entries = list(Msls(tmp_path / "train_val").entries())
    assert entries[0].path == "amman/database/images/database0.jpg"


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected MSLS with train_val"):
        Msls(tmp_path)
    (tmp_path / "train_val" / "cph").mkdir(parents=True)
    with pytest.raises(DatasetError, match="none of the train cities"):
        Msls(tmp_path)
    (tmp_path / "train_val" / "goa").mkdir()
    with pytest.raises(DatasetError, match=r"goa/database/raw\.csv is missing"):
        Msls(tmp_path)
