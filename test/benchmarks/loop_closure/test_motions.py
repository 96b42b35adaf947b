from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.loop_closure import motions, posed
from benchmarks.loop_closure.motions import Compared, compare, figures, main, rows
from benchmarks.loop_closure.posed import SHAPES, STEPS, Pictures, made_up_pairs
from training.errors import EvaluationError


def compared(inliers: int = 40, kind: str = "street", **found: Any) -> Compared:
    unknown = {"essential": 0.1, "rotation": None, "direction": None, "seconds": 0.004}
    return Compared(kind, inliers, **(unknown | found))


def test_errors_are_those_of_the_motion_that_is_stated() -> None:
    pairs = [pair for pair in made_up_pairs(0, 2) if pair.kind.startswith("points in depth")]
    for pair in pairs:
        one = compare(pair)
        assert one is not None
        assert one.kind == pair.kind
        assert one.inliers > 60
        assert one.essential < math.radians(3)
        assert one.rotation is not None
        assert one.rotation[0] < math.radians(1)
        assert one.direction is not None
        assert one.direction[0] < math.radians(6)
        backwards = compare(pair._replace(query=pair.query._replace(position=-pair.query.position)))
        assert backwards is not None
        assert backwards.direction is not None
        assert backwards.direction[0] == pytest.approx(math.pi - one.direction[0])


def test_pairs_of_few_inliers_are_left_out() -> None:
    (first, *_), (other, *_) = made_up_pairs(0, 1), made_up_pairs(1, 1)
    assert compare(first) is not None
    assert compare(first._replace(query=other.query)) is None


def test_figures_are_in_degrees_and_of_what_is_stated() -> None:
    errors = [math.radians(degrees) for degrees in (3.0, 4.0)]
    found = figures(
        [
            compared(rotation=(errors[0], math.radians(2)), essential=errors[0]),
            compared(rotation=(errors[1], math.radians(1)), essential=errors[1]),
            compared(essential=0.0),
            compared(essential=0.0),
        ]
    )
    assert found["pairs"] == 4
    assert found["essential"] == {"rms": 2.5, "worst": 4.0}
    assert found["rotation"] == {
        "share": 0.5, "rms": 3.536, "worst": 4.0, "within": 0.5, "sigma": 1.5,
    }  # fmt: skip
    assert found["direction"] == {"share": 0.0}
    assert found["ms"] == 4.0


def test_streets_are_told_apart_by_inliers() -> None:
    found = rows(compared(inliers) for inliers in (200, 20, 29, 30, 100))
    assert {name: row["pairs"] for name, row in found.items()} == {
        "street, 20 to 29": 2,
        "street, 30 to 49": 1,
        "street, 100 or more": 2,
    }
    assert list(rows([compared(kind="a wall"), compared()])) == ["street, 30 to 49", "a wall"]


def test_the_command_prints_a_row_for_each_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motions, "town_pictures", nowhere)
    main(["--points", "1", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert list(report) == [f"{shape}, {step}" for shape in SHAPES for step in STEPS]
    main(["--points", "1", "--seeds", "3"])
    head, *lines = capsys.readouterr().out.splitlines()
    assert "3 sigmas" in head
    assert [line[:26].strip() for line in lines] == list(report)
    with pytest.raises(SystemExit):
        main(["--points", "-1"])


def nowhere(*_: object) -> Pictures:
    return Pictures([], np.empty((0, 6)), np.empty(0, np.int64), np.empty(0, bool))


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posed, "_rendered", nowhere)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="file"):
        main(["--points", "0", "--seeds", "1", "--keep", str(tmp_path / "file")])
