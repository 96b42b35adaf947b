from __future__ import annotations

import math
from dataclasses import replace

from test.training.report.sample import mode_result
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult
from training.report.tables import (
    UNKNOWN,
    latency_table,
    mode_name,
    percent,
    protocol_rows,
    results_table,
    summary_rows,
)


def test_modes_have_names_with_their_candidates(evaluation_set: EvaluationSet) -> None:
    assert mode_name("code", mode_result("code", evaluation_set)) == "Codes alone"
    two_stage = mode_result("two-stage", evaluation_set, 50)
    assert mode_name("two-stage-50", two_stage) == "Two-stage, 50 candidates"


def test_what_is_unknown_is_a_dash_and_never_the_best(
    evaluation_set: EvaluationSet, result: EvaluationResult
) -> None:
    code = result.modes["code"]
    unknown = replace(code, recalls={1: math.nan, 20: 0.5})
    table = results_table(replace(result, modes={"code": unknown, "float": code}))
    assert table.heads[1:5] == ("R@1", "R@5", "R@10", "R@20")
    assert [cell.text for cell in table.rows[0].cells[:3]] == [UNKNOWN] * 3
    assert not any(cell.best for cell in table.rows[0].cells)


def test_the_best_figure_of_a_column_is_marked_where_modes_differ(
    result: EvaluationResult,
) -> None:
    rows = results_table(result).rows
    assert [row.cells[0].best for row in rows] == [True, False, True]
    assert [row.cells[2].text for row in rows] == [percent(n / 12) for n in (10, 9, 10)]
    assert not any(row.cells[-1].best for row in rows), "bytes"


def test_bytes_are_those_of_the_mode_whatever_its_candidates(
    evaluation_set: EvaluationSet, result: EvaluationResult
) -> None:
    modes = {f"two-stage-{n}": mode_result("two-stage", evaluation_set, n) for n in (20, 50)}
    table = results_table(replace(result, modes=modes))
    assert [row.cells[-1].text for row in table.rows] == ["2,112", "2,112"]


def test_stages_of_a_mode_stand_together(
    evaluation_set: EvaluationSet, result: EvaluationResult
) -> None:
    assert latency_table(replace(result, modes={})) is None
    timed = replace(
        result.modes["code"],
        latency={"hamming": {"50": 0.0123, "max": 2.0}, "whole": {"max": 5000.0, "99": 4.0}},
    )
    table = latency_table(replace(result, modes={"code": timed}))
    assert table is not None
    assert table.heads == ("Mode", "Stage", "Median", "99th", "Longest")
    assert [(row.heads[1], row.span) for row in table.rows] == [
        ("search of the codes", 2), ("whole query", 0),
    ]  # fmt: skip
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["0.012", UNKNOWN, "2.00"], [UNKNOWN, "4.00", "5,000"],
    ]  # fmt: skip


def test_the_protocol_in_words() -> None:
    protocol = {
        "query_resize": None, "ns": [1, 5], "trained": False,
        "versions": {"torch": "2.4", "faiss_cpu": "1.8"},
    }  # fmt: skip
    assert protocol_rows(protocol) == [
        ("Query resize", UNKNOWN), ("Ns", "1, 5"), ("Trained", "no"),
        ("Versions", "torch 2.4; faiss cpu 1.8"),
    ]  # fmt: skip
    assert summary_rows({}, "25 m") == [("Rule for a right match", "25 m")]
    named = summary_rows({"rule": "no ground truth", "fingerprint": "0123456789abcdef"}, "25 m")
    assert named == [
        ("Rule for a right match", "no ground truth"), ("Fingerprint", "0123456789ab"),
    ]  # fmt: skip


def test_shares_in_percent() -> None:
    assert percent(0.93251) == "93.3\N{NO-BREAK SPACE}%"
    assert percent(math.nan) == UNKNOWN
