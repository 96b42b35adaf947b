from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.keeping import keep_columns
from training.errors import EvaluationError


def test_what_is_kept_comes_back_and_takes_the_place_of_what_was(tmp_path: Path) -> None:
    kept = tmp_path / "new" / "town.npz"
    for number in (1, 2):
        keep_columns(kept, {"poses": np.full((3, 2), float(number)), "names": np.array(["a"])})
    with np.load(kept) as file:
        assert file["poses"].tolist() == [[2.0, 2.0]] * 3
        assert file["names"].tolist() == ["a"]
    assert [path.name for path in kept.parent.iterdir()] == ["town.npz"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = tmp_path / "file" / "town.npz"
    with pytest.raises(EvaluationError, match=f"{kept} cannot be written: "):
        keep_columns(kept, {})
