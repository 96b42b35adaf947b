from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from test.training.datasets.trees import write_dbstruct
from training.datasets.dbstruct import read_dbstruct
from training.errors import DatasetError


def test_names_and_positions_come_in_their_order(tmp_path: Path) -> None:
    path = write_dbstruct(
        tmp_path / "a.mat",
        ["000/a.jpg", "000/longer name.jpg", "001/c.jpg"],
        [(1.0, 10.0), (2.0, 20.0), (3.5, 30.25)],
        ["q.jpg"],
        [(4.0, 40.0)],
    )
    found = read_dbstruct(path)
    assert found.database == ["000/a.jpg", "000/longer name.jpg", "001/c.jpg"]
    assert found.queries == ["q.jpg"]
    np.testing.assert_array_equal(found.database_utm, [[1, 10], [2, 20], [3.5, 30.25]])
    np.testing.assert_array_equal(found.query_utm, [[4, 40]])
    assert found.database_utm.dtype == found.query_utm.dtype == np.float64


def test_two_images_and_two_coordinates_are_not_mixed_up(tmp_path: Path) -> None:
    path = write_dbstruct(tmp_path / "a.mat", ["a", "b"], [(1, 2), (3, 4)], ["c"], [(5, 6)])
    np.testing.assert_array_equal(read_dbstruct(path).database_utm, [[1, 2], [3, 4]])


def test_a_missing_file_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.mat is missing"):
        read_dbstruct(tmp_path / "a.mat")


@pytest.mark.parametrize("size", [0, 1, 50, 130, 200, 400])
def test_a_file_cut_short_is_one_error(tmp_path: Path, size: int) -> None:
    path = write_dbstruct(tmp_path / "a.mat", ["a"], [(1, 2)], ["c"], [(5, 6)])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DatasetError, match=r"a\.mat"):
        read_dbstruct(path)


def test_something_else_is_refused(tmp_path: Path) -> None:
    text, other, uneven = tmp_path / "text.mat", tmp_path / "other.mat", tmp_path / "uneven.mat"
    text.write_text("not MATLAB " * 100)
    scipy.io.savemat(other, {"x": 1})
    write_dbstruct(uneven, ["a", "b"], [(1, 2)], ["c"], [(5, 6)])
    for path in (text, other, uneven):
        with pytest.raises(DatasetError, match=path.name):
            read_dbstruct(path)
