from __future__ import annotations

from pathlib import Path

import pytest
import utm

from training.errors import DatasetError, EvaluationError
from training.evaluation import load_set

from ...datasets.trees import at_name, panorama, save_images, write_dbstruct

NAMED = {
    "pitts30k": ("images/test/database", "images/test/queries"),
    "tokyo247": ("images/test/database", "images/test/queries"),
    "eynsham": ("images/test/database", "images/test/queries"),
    "svox-night": ("images/test/gallery", "images/test/queries_night"),
    "svox-rain": ("images/test/gallery", "images/test/queries_rain"),
    "svox-overcast": ("images/test/gallery", "images/test/queries_overcast"),
    "svox-snow": ("images/test/gallery", "images/test/queries_snow"),
    "svox-sun": ("images/test/database", "images/test/queries_sun"),
}


@pytest.mark.parametrize("name", NAMED)
def test_layouts_with_positions_in_names(tmp_path: Path, name: str) -> None:
    database, queries = NAMED[name]
    save_images(tmp_path / database, [at_name(549600.0 + 20 * i, 4178000.0) for i in range(4)])
    save_images(tmp_path / queries, [at_name(549600.0, 4178000.0), at_name(549900.0, 4178000.0)])
    found = load_set(name, tmp_path)
    assert found.name == name
    assert [p.tolist() for p in found.positives] == [[0, 1], []]
    assert found.rule == "25 m"
    assert found.count_without_positives
    assert found.query_shorter_side == (480 if name == "tokyo247" else None)
    assert load_set(name, tmp_path, radius=50).positives[0].tolist() == [0, 1, 2]


def test_pitts30k_as_published(tmp_path: Path) -> None:
    database, queries = panorama(100) + panorama(101), panorama(200)[:2]
    write_dbstruct(
        tmp_path / "datasets" / "pitts30k_test.mat",
        database,
        [(584220.0, 4477500.0)] * 24 + [(584320.0, 4477500.0)] * 24,
        queries,
        [(584330.0, 4477500.0), (584220.0, 4477525.0)],
    )
    save_images(tmp_path, database)
    save_images(tmp_path / "queries_real", queries)
    found = load_set("pitts30k", tmp_path)
    assert [p.tolist() for p in found.positives] == [list(range(24, 48)), list(range(24))]
    assert all(path.is_file() for path in (*found.database, *found.queries))
    assert found.query_keys == queries
    assert "pitts30k_test.mat" in found.variant
    with pytest.raises(EvaluationError, match="no headings"):
        load_set("pitts30k", tmp_path, heading=40)


def test_tokyo247_as_published(tmp_path: Path) -> None:
    # The .mat file names .jpg where the files are .png.
    write_dbstruct(
        tmp_path / "datasets" / "tokyo247.mat",
        ["03814/a_000.jpg", "03814/a_030.jpg"],
        [(381000.0, 3946000.0), (381100.0, 3946000.0)],
        ["00001.jpg"],
        [(381101.0, 3946000.0)],
    )
    save_images(tmp_path / "images", ["03814/a_000.png", "03814/a_030.png"])
    save_images(tmp_path / "247query_subset_v2", ["00001.jpg"])
    found = load_set("tokyo247", tmp_path)
    assert [p.suffix for p in found.database] == [".png", ".png"]
    assert all(path.is_file() for path in (*found.database, *found.queries))
    assert found.positives[0].tolist() == [1]
    assert found.query_shorter_side == 480


def test_tokyo247_with_a_table_beside_each_query(tmp_path: Path) -> None:
    # The 315 of 247query_subset_v2, whatever queries the .mat file names.
    latitude, longitude = 35.64853, 139.68557
    east, north, *_ = utm.from_latlon(latitude, longitude)
    write_dbstruct(
        tmp_path / "datasets" / "tokyo247.mat",
        ["03814/a_000.jpg", "03814/a_030.jpg"],
        [(east + 100, north), (east + 20, north)],
        ["other.jpg"],
        [(0, 0)],
    )
    save_images(tmp_path / "tokyo247", ["03814/a_000.png", "03814/a_030.png"])
    folder = tmp_path / "247query_subset_v2"
    save_images(folder, ["00001.jpg", "00002.jpg"])
    (folder / "00001.csv").write_text(f"00001.jpg,{latitude},{longitude},0\n")
    (folder / "00002.csv").write_text(f"00002.jpg,{latitude + 1},{longitude},0\n")
    found = load_set("tokyo247", tmp_path)
    assert found.query_keys == ["00001.jpg", "00002.jpg"]
    assert [p.tolist() for p in found.positives] == [[1], []]
    assert all(path.is_file() for path in (*found.database, *found.queries))
    assert "CSV beside each query" in found.variant
    (folder / "00002.csv").write_text("00002.jpg,north\n")
    with pytest.raises(DatasetError, match=r"00002\.csv does not begin"):
        load_set("tokyo247", tmp_path)


def test_a_file_that_is_not_there_stays_in_the_set(tmp_path: Path) -> None:
    write_dbstruct(
        tmp_path / "datasets" / "pitts30k_test.mat",
        ["000/a.jpg"],
        [(0, 0)],
        ["000/q.jpg"],
        [(0, 0)],
    )
    found = load_set("pitts30k", tmp_path)
    assert found.database == [tmp_path / "000/a.jpg"]
    assert found.queries == [tmp_path / "queries_real/000/q.jpg"]


@pytest.mark.parametrize("name", ["pitts30k", "eynsham", "svox-night"])
def test_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=rf"is not {name}: expected images/test"):
        load_set(name, tmp_path)
