from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.recall.measuring import Figures
from benchmarks.recall.record import (
    GOALS,
    Recorded,
    below_goals,
    read_record,
    shortfalls,
    write_record,
)
from training.errors import EvaluationError


def figures(right: int, queries: int = 40, mode: str = "two-stage") -> Figures:
    recall = round(right / queries, 4)
    return Figures("10 m", 100, queries, queries, 0.1, {mode: {"1": recall}})


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "recall.json"
    measured = {"lund": figures(13, 14), "rendered": figures(30)}
    sets = {name: each.to_json() for name, each in measured.items()}
    write_record(path, {"fingerprint": "ab" * 32, "sets": sets})
    record = read_record(path, "ab" * 32)
    assert record["lund"] == Recorded(14, {"two-stage": {"1": 0.9286}})
    assert list(shortfalls(measured, record)) == []


@given(st.integers(1, 300), st.data())
def test_one_query_may_be_missed_and_no_more(queries: int, data: st.DataObject) -> None:
    before = data.draw(st.integers(0, queries))
    now = data.draw(st.integers(0, queries))
    record = {"lund": Recorded(queries, figures(before, queries).recalls)}
    lines = list(shortfalls({"lund": figures(now, queries)}, record))
    assert len(lines) == (before - now > 1)


def test_each_figure_that_fell_short_has_a_line() -> None:
    record = {
        "lund": Recorded(40, {"two-stage": {"1": 1.0, "5": 1.0}, "code": {"1": 0.5, "5": 0.9}}),
    }
    now = figures(38)
    now.recalls["two-stage"]["5"] = 1.0
    now.recalls["code"] = {"1": 0.4, "5": 0.875}
    assert list(shortfalls({"lund": now}, record)) == [
        "lund: two-stage R@1 is 0.950, recorded was 1.000",
        "lund: code R@1 is 0.400, recorded was 0.500",
    ]


def test_a_mode_that_is_gone_falls_short() -> None:
    record = {"lund": Recorded(40, figures(30, mode="code").recalls)}
    (line,) = shortfalls({"lund": figures(40)}, record)
    assert line == "lund: code R@1 is 0.000, recorded was 0.750"


def test_a_set_that_has_changed_is_not_compared() -> None:
    record = {"lund": Recorded(39, figures(39, 39).recalls)}
    (line,) = shortfalls({"lund": figures(40)}, record)
    assert line.startswith("lund: 40 queries, recorded were 39: the set has changed")
    (line,) = shortfalls({"rendered": figures(40)}, record)
    assert line.startswith("rendered: no figures on record")


def test_goals_are_of_two_stage_retrieval_at_the_first_place() -> None:
    asked = {"rtabmap_samples": 0.95, "lund": 0.8, "toshiki_loop": 0.95, "rendered": 0.9}
    assert asked == GOALS
    for name, goal in GOALS.items():
        least = next(right for right in range(1001) if right / 1000 >= goal)
        assert list(below_goals({name: figures(least, 1000)})) == []
        (line,) = below_goals({name: figures(least - 1, 1000)})
        assert line.startswith(f"{name}: two-stage R@1 is ")
        (line,) = below_goals({name: figures(1000, 1000, mode="code")})
    assert list(below_goals({"tower": figures(0)})) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"no figures in .* --record` records them anew"),
        ("{", r"is damaged .* restore it"),
        ("[]", r"is damaged .* restore it"),
        ('{"fingerprint": "cdcd", "sets": {"lund": {"queries": 3}}}', r"is damaged"),
        ('{"fingerprint": "cdcd", "sets": {}}', r"other weights \(cdcd.* --record` records them"),
    ],
)
def test_a_record_that_does_not_serve_says_what_to_do(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "recall.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvaluationError, match=said):
        read_record(path, "ab" * 32)


def test_a_record_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"recall.json cannot be written: No such file"):
        write_record(tmp_path / "nowhere" / "recall.json", {})


def test_the_record_is_read_by_people_too(tmp_path: Path) -> None:
    path = tmp_path / "recall.json"
    write_record(path, {"fingerprint": "ab", "sets": {}})
    assert path.read_text().count("\n") == 4
    assert json.loads(path.read_text()) == {"fingerprint": "ab", "sets": {}}
