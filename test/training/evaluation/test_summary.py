from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from training.evaluation.result import UnreadableImage
from training.evaluation.summary import summary

from .fakes import FakeDescriber
from .test_evaluation import evaluated, image_set


def test_what_was_not_evaluated_is_said(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0, 1], [1], [[1]])
    result = evaluated(some, tmp_path / "cache", FakeDescriber(branches=("float",)))
    printed = summary(result)
    assert "not evaluated: code, the weights have no hash branch" in printed
    assert "Latency" not in printed  # not measured
    assert "without positives:" not in printed  # there are none


def test_queries_without_positives_and_many_unreadable_images(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0, 1], [1, 0], [[1], []], count_without_positives=False)
    result = evaluated(some, tmp_path / "cache")
    many = tuple(UnreadableImage("query", n, f"/{n}.jpg", "not an image") for n in range(25))
    printed = summary(replace(result, unreadable=many))
    assert "1 queries without positives: left out" in printed
    assert "database 0 (never found), queries 25 (failed)" in printed
    assert "/19.jpg" in printed
    assert "/20.jpg" not in printed
    assert "and 5 more" in printed


def test_columns_are_aligned(tmp_path: Path) -> None:
    some = image_set(tmp_path, [0, 1], [1], [[1]])
    result = evaluated(some, tmp_path / "cache", candidates=(1, 2), latency_queries=1)
    for block in summary(result).split("\n\n")[1:3]:
        lines = [line for line in block.splitlines() if not line.startswith("Latency")]
        assert len(lines) == 5
        assert len({len(line) for line in lines}) == 1
