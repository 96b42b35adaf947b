from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import DatasetError, EvaluationError
from training.evaluation import load_set
from training.evaluation.sets.msls import TEST_CITIES, VAL_CITIES

from ...datasets.trees import at_name, save_images, write_table

# key, easting, ca, in subtask all, panorama
DATABASE = [
    ("db0", 0.0, 10.0, True, False),
    ("db1", 20.0, 190.0, True, False),
    ("db2", 500.0, 0.0, True, False),
    ("dbPano", 0.0, 0.0, True, True),
    ("dbOther", 0.0, 10.0, False, False),
]
QUERIES = [
    ("q0", 5.0, 355.0, True, False),
    ("qFar", 5000.0, 0.0, True, False),
    ("qPano", 0.0, 0.0, True, True),
    ("qOther", 500.0, 0.0, False, False),
]


def city(folder: Path, name: str, positions: bool = True) -> None:
    """Write a city with tables as published; keys are made different for each."""
    for side, rows in (("database", DATABASE), ("query", QUERIES)):
        where = folder / name / side
        keys = [f"{name}-{row[0]}" for row in rows]
        save_images(where / "images", [f"{key}.jpg" for key in keys])
        numbered = list(enumerate(zip(keys, rows, strict=True)))
        write_table(
            where / "raw.csv",
            ("", "key", "lon", "lat", "ca", "captured_at", "pano"),
            [
                (i, key, "", "", ca, "2016-05-04", pano)
                for i, (key, (_, _, ca, _, pano)) in numbered
            ],
        )
        columns = ("", "key", *(("easting", "northing") if positions else ()), "night")
        write_table(
            where / "postprocessed.csv",
            columns,
            [
                (i, key, *((east, 4e6) if positions else ()), False)
                for i, (key, (_, east, *_)) in numbered
            ],
        )
        write_table(
            where / "subtask_index.csv",
            ("", "key", "all", "s2w"),
            [(i, key, whole, False) for i, (key, (*_, whole, _)) in numbered],
        )


@pytest.fixture
def val(tmp_path: Path) -> Path:
    for name in VAL_CITIES:
        city(tmp_path / "train_val", name)
    return tmp_path


def test_the_740_are_the_subtask_without_panoramas(val: Path) -> None:
    found = load_set("msls-val", val)
    assert found.query_keys == ["cph-q0", "cph-qFar", "sf-q0", "sf-qFar"]
    assert found.database_keys == [f"{c}-db{i}" for c in ("cph", "sf") for i in range(3)]
    # Cities have equal coordinates here, and are never each other's positives.
    assert [p.tolist() for p in found.positives] == [[0, 1], [], [3, 4], []]
    assert not found.count_without_positives  # 747 queries, of which 740 have a positive
    assert found.rule == "25 m"
    assert all(path.is_file() for path in (*found.database, *found.queries))


def test_the_larger_set_has_all_but_panoramas(val: Path) -> None:
    found = load_set("msls-val-11084", val)
    assert found.query_keys[:3] == ["cph-q0", "cph-qFar", "cph-qOther"]
    assert len(found.database) == 8
    assert [p.tolist() for p in found.positives[:3]] == [[0, 1, 3], [], [2]]
    assert found.count_without_positives
    assert "11,084" in found.variant


def test_forty_degrees_of_the_paper_on_request(val: Path) -> None:
    found = load_set("msls-val", val, heading=40)
    assert found.positives[0].tolist() == [0]  # 355 and 10 degrees; 190 is behind
    assert found.rule == "25 m and 40 degrees"


def test_the_folder_of_the_cities_will_do(val: Path) -> None:
    assert len(load_set("msls-val", val / "train_val").queries) == 4


def test_names_do_not_tell_the_740(tmp_path: Path) -> None:
    for side in ("database", "queries"):
        save_images(tmp_path / "images" / "val" / side, [at_name(5e5, 4e6, 10)])
    with pytest.raises(DatasetError, match=r"subtask_index\.csv.*msls-val-11084"):
        load_set("msls-val", tmp_path)
    found = load_set("msls-val-11084", tmp_path, heading=40)
    assert [p.tolist() for p in found.positives] == [[0]]


def test_the_challenge_is_scored_where_there_are_positions(tmp_path: Path) -> None:
    for name in TEST_CITIES:
        city(tmp_path / "test", name)
    found = load_set("msls-challenge", tmp_path)
    assert found.scored
    assert len(found.queries) == 12
    assert found.positives[2].tolist() == [3, 4]
    assert "postprocessed.csv" in found.variant


def test_the_challenge_without_positions_gives_predictions_only(tmp_path: Path) -> None:
    for name in TEST_CITIES:
        city(tmp_path / "test", name, positions=False)
    found = load_set("msls-challenge", tmp_path)
    assert not found.scored
    assert len(found.queries) == 12
    assert not any(len(p) for p in found.positives)
    assert "predictions only" in found.variant
    with pytest.raises(DatasetError, match="no positions"):
        load_set("msls-challenge", tmp_path, heading=40)


def test_positions_of_some_cities_only_are_an_error(tmp_path: Path) -> None:
    for name in TEST_CITIES:
        city(tmp_path / "test", name, positions=name != "athens")
    with pytest.raises(DatasetError, match=r"lacks easting.*|.*athens lacks"):
        load_set("msls-challenge", tmp_path)


def test_a_city_that_is_not_there_is_named(tmp_path: Path) -> None:
    city(tmp_path / "train_val", "cph")
    with pytest.raises((DatasetError, EvaluationError), match="sf"):
        load_set("msls-val", tmp_path)
    with pytest.raises(DatasetError, match="is not MSLS"):
        load_set("msls-challenge", tmp_path)
