from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import DatasetError, EvaluationError
from training.evaluation import folders_set

from ...datasets.trees import at_name, save_images


def test_positions_are_those_of_the_names(tmp_path: Path) -> None:
    root = tmp_path / "a@b"  # only base names count
    save_images(root / "db", [at_name(549670.0 + 10 * i, 4178000.0) for i in range(5)])
    save_images(root / "sub" / "q", ["deep/" + at_name(549672.0, 4178000.0)])
    found = folders_set(root / "db", root / "sub" / "q", radius=12.0)
    assert len(found.database) == 5
    assert found.queries[0].is_file()
    assert [p.tolist() for p in found.positives] == [[0, 1]]
    assert found.rule == "12 m"
    assert found.database_positions is not None
    assert found.database_positions[1].tolist() == [549680.0, 4178000.0]
    assert found.query_keys == ["deep/" + at_name(549672.0, 4178000.0)]


def test_headings_on_request(tmp_path: Path) -> None:
    save_images(tmp_path / "db", [at_name(5e5, 4e6, heading) for heading in (0, 90, 350)])
    save_images(tmp_path / "q", [at_name(5e5, 4e6, 10)])
    folders = tmp_path / "db", tmp_path / "q"
    assert len(folders_set(*folders).positives[0]) == 3
    found = folders_set(*folders, heading=40)
    headings = [found.database_keys[n].split("@")[9] for n in found.positives[0]]
    assert sorted(headings) == ["0", "350"]
    assert found.rule == "25 m and 40 degrees"


def test_headings_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    save_images(tmp_path / "db", [at_name(5e5, 4e6)])
    with pytest.raises(EvaluationError, match="no headings"):
        folders_set(tmp_path / "db", tmp_path / "db", heading=40)


def test_a_list_beside_the_folder_is_taken(tmp_path: Path) -> None:
    names = [at_name(5e5, 4e6 + i) for i in (3, 1, 2)]
    save_images(tmp_path / "db", names)
    (tmp_path / "db_images_paths.txt").write_text("\n".join(names[:2]) + "\n")
    assert folders_set(tmp_path / "db", tmp_path / "db").database_keys == names[:2]
    (tmp_path / "db_images_paths.txt").write_text("\n")
    with pytest.raises(DatasetError, match="names no image"):
        folders_set(tmp_path / "db", tmp_path / "db")


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    save_images(tmp_path / "db", ["photo.jpg"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"photo\.jpg.*CSV"):
        folders_set(tmp_path / "db", tmp_path / "db")
    with pytest.raises(DatasetError, match="holds no image"):
        folders_set(tmp_path / "empty", tmp_path / "db")
    with pytest.raises(DatasetError, match="is not a folder"):
        folders_set(tmp_path / "no", tmp_path / "db")
