from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from test.training.report.sample import PLACES, QUERIES
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult
from training.report.alignment import draw_alignment

STEP = 10.0  # metres from a place to the next
ORIGIN = np.array([500_000.0, 5_200_000.0])


@pytest.fixture
def mode(result: EvaluationResult) -> ModeResult:
    return result.modes["float"]


def on_a_line(evaluation_set: EvaluationSet, direction: float, bend: float = 0.0) -> EvaluationSet:
    """Places every 10 m along a line in this direction (radians), queries 3 m behind theirs."""
    along = np.array([np.cos(direction), np.sin(direction)])
    across = np.array([-along[1], along[0]])
    at = STEP * np.arange(PLACES)
    line = at[:, None] * along + bend * np.sin(at / 50)[:, None] * across
    return replace(
        evaluation_set,
        database_positions=line + ORIGIN,
        query_positions=line[: 2 * QUERIES : 2] + 3 * along + ORIGIN,
    )


def drawn(
    mode: ModeResult, places: EvaluationSet, queries: NDArray[np.int64] | None = None
) -> tuple[ElementTree.Element, str] | None:
    assert places.database_positions is not None
    assert places.query_positions is not None
    everything = np.vstack([places.database_positions, places.query_positions])
    asked = np.arange(QUERIES) if queries is None else queries
    found = draw_alignment(mode, places, everything, asked)
    return None if found is None else (ElementTree.fromstring(found[0]), found[1])


def spots(root: ElementTree.Element) -> dict[int, tuple[float, float]]:
    """Where each query's mark is, by its number."""
    found = {}
    for mark in root.iter():
        if "query" in (mark.get("class") or "").split():
            title = mark.findtext("title") or ""
            number = (
                int(re.findall(r"query query(\d+)", title)[0]) if "query query" in title else -1
            )
            if mark.tag == "circle":
                found[number] = float(mark.get("cx") or 0), float(mark.get("cy") or 0)
            else:
                x, y = re.findall(r"[-\d.]+", mark.get("transform") or "")
                found[number] = float(x), float(y)
    return found


@pytest.mark.parametrize("direction", [0.0, 0.7, 1.57, 2.5])
def test_marks_lie_where_the_query_and_its_match_are_along_the_line(
    mode: ModeResult, evaluation_set: EvaluationSet, direction: float
) -> None:
    found = drawn(mode, on_a_line(evaluation_set, direction))
    assert found is not None
    root, caption = found
    marks = spots(root)
    # The line's sense is the drawing's own: from the first query to the last, either way.
    sense = np.sign(marks[11][0] - marks[0][0])
    first, last = np.array(marks[0]), np.array(marks[11])
    per_metre = np.abs(last[0] - first[0]) / (22 * STEP)
    for query, (x, y) in marks.items():
        if query < 0:
            continue
        place = int(mode.rankings[query, 0])
        asked, matched = 2 * STEP * query + 3, STEP * place
        assert x - first[0] == pytest.approx(sense * per_metre * 2 * STEP * query, abs=0.5)
        # y grows downwards, and both axes have one scale.
        assert first[1] - y == pytest.approx(
            sense * per_metre * (matched - asked + 2 * STEP * query + 3), abs=2.5
        )
    assert "on one straight line" in caption
    assert "7 matched right, 5 wrong" in caption


def test_streets_with_a_bend_short_ones_and_single_places_are_no_line(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    straight = on_a_line(evaluation_set, 0.3)
    assert drawn(mode, straight) is not None
    assert drawn(mode, on_a_line(evaluation_set, 0.3, bend=20.0)) is None
    assert drawn(mode, evaluation_set) is None
    assert straight.database_positions is not None
    few = straight.database_positions[:9]  # 80 m
    assert draw_alignment(mode, straight, few, np.arange(3)) is None
    assert draw_alignment(mode, straight, few[:1], np.arange(1)) is None


def test_matches_beyond_the_line_are_counted_and_not_drawn(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    places = on_a_line(evaluation_set, 0.0)
    assert places.database_positions is not None
    assert places.query_positions is not None
    region = np.vstack([places.database_positions, places.query_positions])
    elsewhere = places.database_positions.copy()
    wrong = [q for q in range(QUERIES) if mode.rankings[q, 0] // 2 != q][:2]
    elsewhere[mode.rankings[wrong[0], 0]] += [50_000.0, 0.0]
    elsewhere[mode.rankings[wrong[1], 0]] = np.nan
    moved = replace(places, database_positions=elsewhere)
    found = draw_alignment(mode, moved, region, np.arange(QUERIES))
    assert found is not None
    root, caption = ElementTree.fromstring(found[0]), found[1]
    gone = {q for q in range(QUERIES) if not 0 <= elsewhere[mode.rankings[q, 0], 0] - 5e5 <= 300}
    assert f"; {len(gone)} matches that lie outside of the line are not drawn." in caption
    assert not gone & spots(root).keys()
