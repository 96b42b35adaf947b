"""Figures on record, what falls short of them, and how far the project's goals are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.recall.measuring import Figures, Recalls
from training.errors import EvaluationError

RECORDED = Path(__file__).parents[1] / "recall.json"

GOALS = {"rtabmap_samples": 0.95, "lund": 0.80, "toshiki_loop": 0.95, "rendered": 0.90}
"""The two-stage Recall@1 that the weights that ship with the project are to reach, by set."""

_TOLERANCE = 1  # queries; other processors round otherwise
_AGAIN = "`python -m benchmarks.recall --record` records them anew"


class Recorded(NamedTuple):
    """What is on record of a set: its number of queries, and for each mode Recall@N by N."""

    queries: int
    recalls: dict[str, Recalls]


def read_record(path: Path, fingerprint: str) -> dict[str, Recorded]:
    """Return by set what was recorded with weights of this fingerprint.

    Raises EvaluationError where there is nothing, it is of other weights, or damaged.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
        of = str(record["fingerprint"])
        sets = {name: _recorded(figures) for name, figures in record["sets"].items()}
    except FileNotFoundError as error:
        raise EvaluationError(f"there are no figures in {path} to compare: {_AGAIN}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{path} is damaged ({error!r}): restore it, or {_AGAIN}") from error
    if of != fingerprint:
        raise EvaluationError(
            f"{path} has the figures of other weights ({of[:12]}..., these are {fingerprint[:12]}"
            f"...): give --weights those, or, where new ones are to ship, {_AGAIN}"
        )
    return sets


def _recorded(figures: dict[str, Any]) -> Recorded:
    recalls = {
        mode: {str(n): float(recall) for n, recall in found.items()}
        for mode, found in figures["recalls"].items()
    }
    return Recorded(int(figures["queries"]), recalls)


def write_record(path: Path, report: Mapping[str, Any]) -> None:
    """Write figures for later comparisons; EvaluationError where that cannot be."""
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}") from error


def shortfalls(measured: Mapping[str, Figures], record: Mapping[str, Recorded]) -> Iterator[str]:
    """Yield a line for each recorded figure that was missed by more than one query, by set."""
    for name, figures in measured.items():
        if name not in record:
            yield f"{name}: no figures on record; {_AGAIN}"
        elif record[name].queries != figures.queries:
            yield (
                f"{name}: {figures.queries} queries, recorded were {record[name].queries}: the set"
                f" has changed; {_AGAIN}"
            )
        else:
            yield from _missed(name, figures, record[name].recalls)


def _missed(name: str, figures: Figures, recorded: Mapping[str, Recalls]) -> Iterator[str]:
    for mode, recalls in recorded.items():
        for n, before in recalls.items():
            now = figures.recalls.get(mode, {}).get(n, 0.0)
            if round((before - now) * figures.queries) > _TOLERANCE:
                yield f"{name}: {mode} R@{n} is {now:.3f}, recorded was {before:.3f}"


def below_goals(measured: Mapping[str, Figures]) -> Iterator[str]:
    """Yield a line for each set whose two-stage Recall@1 is below its goal."""
    for name, goal in GOALS.items():
        if name in measured:
            reached = measured[name].recalls.get("two-stage", {}).get("1", 0.0)
            if reached < goal:
                yield f"{name}: two-stage R@1 is {reached:.3f}, the goal {goal:.2f}"
