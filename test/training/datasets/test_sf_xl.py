from __future__ import annotations

from pathlib import Path

import pytest

from test.training.datasets.trees import at_name, save_images, sf_xl
from training.datasets.sf_xl import SfXl
from training.datasets.source import Candidate, Excluded
from training.errors import DatasetError


def test_positions_and_headings_are_those_of_the_names(tmp_path: Path) -> None:
    root = sf_xl(tmp_path / "with@in its path")
    entries = list(SfXl(root).entries())
    assert len(entries) == 9
    first = entries[0]
    assert isinstance(first, Candidate)
    assert (root / first.path).is_file()
    assert (first.easting, first.northing, first.zone) == (549670.0, 4178000.0, "10S")
    assert (first.heading, first.date, first.city) == (10.0, "2013-11", "san-francisco")
    assert [entry.path for entry in entries] == sorted(entry.path for entry in entries)


def test_the_processed_folder_itself_will_do(tmp_path: Path) -> None:
    sf_xl(tmp_path)
    assert len(list(SfXl(tmp_path / "processed").entries())) == 9


def test_another_name_is_reported(tmp_path: Path) -> None:
    save_images(tmp_path / "train", ["IMG_1.jpg", at_name(1, 2, 3)])
    good, bad = SfXl(tmp_path).entries()
    assert isinstance(bad, Excluded)
    assert bad.path == "train/IMG_1.jpg"
    assert bad.faulty
    assert isinstance(good, Candidate)


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected SF-XL with processed/train"):
        SfXl(tmp_path)
