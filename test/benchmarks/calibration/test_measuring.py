from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.calibration import command, measuring
from benchmarks.calibration.drives import APART, Drives
from benchmarks.calibration.measuring import Case, Fold, Tried, figure
from benchmarks.calibration.rendering import RIDES
from selavpr_core.calibration import Choice
from test.selavpr_core.calibration.worlds import road, write
from training.command import run

TOWNS = 4
CHOICE = Choice(0.5, 0.0, 1.0, 0.98, 0.9, 300, True)


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Drives:
    """A road in each town, driven along four times."""
    parts = {
        f"{name} {town}": road(town * APART + number, town * APART + 300, 6.0, number)
        for number, name in enumerate(RIDES)
        for town in range(TOWNS)
    }
    hours = [24 * number + town / 60 / 60 for number in range(len(RIDES)) for town in range(TOWNS)]
    return Drives(write(tmp_path_factory.mktemp("drives") / "all", parts, hours), TOWNS)


def test_a_part_is_the_named_drives_through_the_named_towns(drives: Drives) -> None:
    part = drives.part(["autumn", "map"], [1, 3])
    sources = [segment.source for segment in part.segments]
    assert sources == ["autumn 1", "autumn 3", "map 1", "map 3"]


def test_figures_are_of_all_maps_together() -> None:
    """Of 100 answers in the map and 5 of 50 from elsewhere, which count twice."""
    folds = [
        Fold(0, "drive", CHOICE, {"x": Tried(inside=60, outside=30, right=50, wrong=4, false=3)}),
        Fold(1, "drive", CHOICE, {"x": Tried(inside=40, outside=20, right=40, wrong=6, false=2)}),
    ]
    one = figure(folds, "x")
    assert one.answered == 105
    assert one.precision == pytest.approx(90 / (90 + 10 + 10))
    assert one.recall == 0.9


def test_what_is_measured_is_printed(
    drives: Drives, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = (Case(("map",), "autumn", ("same day",)),)
    monkeypatch.setattr(measuring, "CASES", cases)
    monkeypatch.setattr(command, "CASES", cases)
    monkeypatch.setattr(command, "describe_drives", lambda *_: drives)
    assert run(command.main, ["--towns", "4", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["wanted"] for row in rows] == [0.9, 0.95, 0.99]
    for row in rows:
        assert [each["without_town"] for each in row["maps"]] == list(range(TOWNS))
        for each in row["maps"]:
            tried = each["held_back"]["same day"]
            assert (tried["inside"], tried["outside"]) == (150, 50)
            assert tried["right"] + tried["wrong"] <= 150
            assert tried["false"] <= 50
    assert rows[0]["maps"][0]["reached"]
    assert rows[0]["maps"][0]["held_back"]["same day"]["right"] > 100


def test_the_table_says_how_many_maps_were_stored() -> None:
    """One of two. Two of 50 from elsewhere are as good as 4 of 100."""
    tried = {"same day": Tried(inside=100, outside=50, right=90, wrong=1, false=2)}
    not_stored = Fold(1, "sessions", CHOICE._replace(reached=False), {})
    case = Case(("map", "autumn"), None, ("same day",))
    row = measuring.Row(case, 0.9, [Fold(0, "sessions", CHOICE, tried), not_stored])
    first, second = command._table([row]).splitlines()
    assert first == "map map + autumn, by own places (sessions), wanted 90 %: 1 of 2 stored"
    assert "precision  94.7 %, lowest  94.7 %, recall  90.0 % (there  90.0 %), 93" in second
    none = command._table([row._replace(folds=[not_stored])])
    assert "0 of 1 stored" in none
    assert "shown at most 100.0 % to 100.0 %" in none


def test_too_few_towns_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        command.main(["--towns", "2"])
    assert exit_.value.code == 2
    assert "2 towns are too few" in capsys.readouterr().err
