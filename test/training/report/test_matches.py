from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from test.training.report.sample import HOSTILE, QUERIES
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult
from training.report.matches import QUERIES as MOST
from training.report.matches import Match, count_words, draw_query, spread_matches


def test_matches_are_right_wrong_or_unanswered(
    result: EvaluationResult, evaluation_set: EvaluationSet
) -> None:
    rankings = result.modes["float"].rankings.copy()
    rankings[4] = -1
    mode = replace(result.modes["float"], rankings=rankings)
    matches, step = spread_matches(mode, evaluation_set, np.arange(QUERIES))
    assert step == 1
    for match in matches:
        place = rankings[match.query, 0]
        assert match.place == place
        right = place // 2 == match.query  # query i belongs to the places 2 i and 2 i + 1
        assert match.outcome == ("unanswered" if place < 0 else "right" if right else "wrong")
    assert {match.outcome for match in matches} == {"right", "wrong", "unanswered"}


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 3 * MOST, 10_000])
def test_so_many_are_drawn_and_no_more_spread_over_all(
    result: EvaluationResult, evaluation_set: EvaluationSet, count: int
) -> None:
    queries = np.arange(count) % QUERIES
    matches, step = spread_matches(result.modes["float"], evaluation_set, queries)
    assert len(matches) <= MOST
    assert len(matches) > MOST / 2 or step == 1
    assert [match.query for match in matches] == queries[::step].tolist()


@pytest.mark.parametrize(
    ("outcome", "tag"), [("right", "circle"), ("wrong", "path"), ("unanswered", "circle")]
)
def test_the_mark_says_the_outcome_and_its_tooltip_the_names(
    evaluation_set: EvaluationSet, outcome: str, tag: str
) -> None:
    root = ElementTree.Element("svg")
    match = Match(5, -1 if outcome == "unanswered" else 7, outcome)
    draw_query(root, match, 30.0, 40.0, evaluation_set, "3 m away")
    (mark,) = root
    assert (mark.tag, mark.get("class")) == (tag, f"query {outcome}")
    where = (mark.get("cx"), mark.get("cy")) if tag == "circle" else mark.get("transform")
    assert where in (("30", "40"), "translate(30 40)")
    # Read back as a browser does: a name with markup in it is text.
    words = ElementTree.fromstring(ElementTree.tostring(root)).findtext(".//title")
    rest = "not answered" if outcome == "unanswered" else f"{outcome}, place7.jpg, 3 m away"
    assert words == f"query {HOSTILE}: {rest}"


def test_the_words_count_what_is_drawn() -> None:
    matches = [Match(n, n, "right") for n in range(3)] + [Match(3, 9, "wrong")]
    assert count_words(4, matches, 1) == "4 queries: 3 matched right, 1 wrong"
    matches.append(Match(4, -1, "unanswered"))
    assert count_words(12_345, matches, 21) == (
        "12,345 queries, one in 21 drawn: 3 matched right, 1 wrong, 1 unanswered"
    )
