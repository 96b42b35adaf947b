from __future__ import annotations

from pathlib import Path

import pytest

from test.training.datasets.trees import at_name, pitts30k, save_images, write_dbstruct
from training.datasets.pitts30k import Pitts30k, pseudo_heading
from training.datasets.source import BAD_ENTRY, NO_HEADING, Candidate, Excluded
from training.errors import DatasetError


def test_published_layout_gives_database_and_queries(tmp_path: Path) -> None:
    entries = list(Pitts30k(pitts30k(tmp_path)).entries())
    assert len(entries) == 4 * 24
    assert all((tmp_path / entry.path).is_file() for entry in entries)
    assert sum(entry.path.startswith("queries_real/") for entry in entries) == 48
    first = entries[0]
    assert isinstance(first, Candidate)
    assert (first.easting, first.northing, first.zone) == (584220.0, 4477500.0, "17T")


def test_both_pitches_share_the_heading_of_their_yaw(tmp_path: Path) -> None:
    headings: dict[str, set[float]] = {}
    for entry in Pitts30k(pitts30k(tmp_path)).entries():
        assert isinstance(entry, Candidate)
        headings.setdefault(entry.path.rsplit("_", 1)[1], set()).add(entry.heading)
    assert headings == {f"yaw{yaw}.jpg": {(yaw - 1) * 30.0} for yaw in range(1, 13)}


def test_query_names_that_hold_their_folder_already_are_kept(tmp_path: Path) -> None:
    query = "queries_real/000/1_pitch1_yaw1.jpg"
    path = tmp_path / "datasets" / "pitts30k_train.mat"
    write_dbstruct(path, ["000/2_pitch1_yaw2.jpg"], [(1, 2)], [query], [(1, 2)])
    assert [entry.path for entry in Pitts30k(tmp_path).entries()] == [
        "000/2_pitch1_yaw2.jpg",
        query,
    ]


def test_a_name_without_yaw_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "datasets" / "pitts30k_train.mat"
    write_dbstruct(path, ["000/2.jpg"], [(1, 2)], ["000/1_pitch1_yaw1.jpg"], [(1, 2)])
    bad, good = Pitts30k(tmp_path).entries()
    assert isinstance(bad, Excluded)
    assert (bad.reason, bad.faulty) == (BAD_ENTRY, True)
    assert isinstance(good, Candidate)


def test_named_layout_reads_the_yaw_from_the_tile(tmp_path: Path) -> None:
    tiles = {"database": [0, 11, 24, 35], "queries": [5, 29]}
    for side, numbers in tiles.items():
        names = [at_name(584220.0, 4477500.0, tile=f"{tile:02d}") for tile in numbers]
        save_images(tmp_path / "images" / "train" / side, names)
    entries = list(Pitts30k(tmp_path).entries())
    assert [entry.heading for entry in entries] == [0, 330, 0, 330, 150, 150]
    assert [entry.path.split("/")[2] for entry in entries] == ["database"] * 4 + ["queries"] * 2
    assert all((tmp_path / entry.path).is_file() for entry in entries)


def test_a_name_without_tile_has_no_heading(tmp_path: Path) -> None:
    save_images(tmp_path / "images/train/database", [at_name(1, 2)])
    (tmp_path / "images/train/queries").mkdir()
    (entry,) = Pitts30k(tmp_path).entries()
    assert isinstance(entry, Excluded)
    assert (entry.reason, entry.faulty) == (NO_HEADING, False)


@pytest.mark.parametrize("part", ["", "images/train/database", "000"])
def test_a_wrong_folder_is_refused(tmp_path: Path, part: str) -> None:
    (tmp_path / part).mkdir(parents=True, exist_ok=True)
    with pytest.raises(DatasetError, match=r"expected Pitts30k with datasets/pitts30k_train\.mat"):
        Pitts30k(tmp_path)


def test_pseudo_heading() -> None:
    assert [pseudo_heading(tile) for tile in (0, 1, 11, 24, 25, 35)] == [0, 30, 330, 0, 30, 330]
