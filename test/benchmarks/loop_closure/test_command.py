from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loop_closure import command
from benchmarks.loop_closure.measuring import VERIFICATIONS
from training.command import FAILED, run

FOUND = {
    "answerable": 40,
    "closures": 30,
    "false": 0,
    "precision": 1.0,
    "recall": 0.75,
    "false_pairs": [],
    "first": (43, 1),
    "last": (83, 41),
    "metres": (2.0, 9.4),
    "rejected": {"geometry": 7},
}


class Recorded:
    name = "alike"


class Loaded:
    source = "tiny"
    fingerprint = "ab" * 32


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is rendered or described: the figures have tests of their own."""
    nothing: dict[str, Any] = {
        **FOUND,
        "closures": 0,
        "precision": None,
        "recall": None,
        "last": None,
    }
    measured = {
        "rule": "bitmap",
        "frames": 84,
        "verifications": {name: nothing if name == "geometry" else FOUND for name in VERIFICATIONS},
        "similarity_in_hindsight": {"recall_at_full_precision": 0.5},
        "inliers_in_hindsight": {"recall_at_full_precision": None},
    }
    monkeypatch.setattr(command, "load_describer", lambda *_: Loaded())
    monkeypatch.setattr(command, "alike", Recorded)
    monkeypatch.setattr(command, "measure", lambda *_: measured)


def test_a_table_shows_every_verification(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.main, ["--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "weights tiny, fingerprint abababababab"
    rows = {line[17:31].strip(): line[31:].split() for line in lines[3 : 3 + len(VERIFICATIONS)]}
    assert list(rows) == list(VERIFICATIONS)
    assert rows["all"] == ["30", "0", "100.0", "75.0"]
    assert "in hindsight: 50.0 by similarity alone, - by the inliers" in lines[-5]
    assert rows["geometry"] == ["0", "0", "-", "-"]
    assert "first closure of frame 43 with 1, last of frame 83 with 41" in lines[-4]
    assert "7 geometry" in lines[-4]
    assert lines[-3] == "  its ends lie 2.0 m apart (median), at most 9.4 m"


def test_what_is_not_there_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.main, ["--data", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["sets"]) == ["alike"]
    assert set(report["left_out"]) == {"rtabmap_samples", "toshiki_loop"}
    assert str(tmp_path) in report["left_out"]["toshiki_loop"]
    assert report["sets"]["alike"]["verifications"]["all"]["last"] == [83, 41]


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(command.main, ["--wieghts", "tiny"])
    assert stopped.value.code == FAILED
    assert capsys.readouterr().err.count("\n") == 1
