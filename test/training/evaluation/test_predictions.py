from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.errors import EvaluationError
from training.evaluation.predictions import write_predictions

from .test_evaluation import evaluated, image_set


def test_a_line_a_query(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0, 1, 2], [2, 7, 0], [[2], [0], [0]])
    some.queries[1].unlink()
    result = evaluated(some, tmp_path / "cache", candidates=(1, 2))
    paths = write_predictions(tmp_path / "new" / "folder", result, some)
    assert [path.name for path in paths] == [
        "numbers_float.txt",
        "numbers_code.txt",
        "numbers_two-stage-1.txt",
        "numbers_two-stage-2.txt",
    ]
    for path, mode in zip(paths, result.modes.values(), strict=True):
        lines = [line.split(" ") for line in path.read_text().splitlines()]
        assert [line[0] for line in lines] == ["q0", "q1", "q2"]
        assert lines[0][1] == "d2"
        assert lines[1] == ["q1"]
        for line, ranking in zip(lines, mode.rankings, strict=True):
            assert line[1:] == [f"d{place}" for place in ranking if place >= 0]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0], [0], [[0]])
    result = evaluated(some, tmp_path / "cache")
    with pytest.raises(EvaluationError, match="'a b': it has"):
        write_predictions(tmp_path, result, replace(some, query_keys=["a b"]))
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="cannot be written"):
        write_predictions(tmp_path / "file", result, some)
