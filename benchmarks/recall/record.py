"""Figures on record, and what falls short of them or of the project's floors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.recall.measuring import Figures
from training.errors import EvaluationError

RECORDED = Path(__file__).parents[1] / "recall.json"

FLOORS = {"rtabmap_samples": 0.95, "lund": 0.80, "toshiki_loop": 0.95, "rendered": 0.90}
"""The least two-stage Recall@1 of the weights that ship with the project, by set."""

_TOLERANCE = 1  # queries; other processors round otherwise
_AGAIN = "`python -m benchmarks.recall --record` records them anew"

Record = dict[str, Any]


def read_record(path: Path, fingerprint: str) -> Record:
    """Return the figures that were recorded with weights of this fingerprint.

    Raises EvaluationError where there are none, they are of other weights, or damaged.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
        of, sets = str(record["fingerprint"]), record["sets"]
        for figures in sets.values():
            int(figures["queries"]), [dict(recalls) for recalls in figures["recalls"].values()]
    except FileNotFoundError as error:
        raise EvaluationError(
            f"there are no figures in {path} to compare with: {_AGAIN}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(f"{path} is damaged ({error!r}): restore it, or {_AGAIN}") from error
    if of != fingerprint:
        raise EvaluationError(
            f"{path} has the figures of other weights ({of[:12]}..., these are {fingerprint[:12]}"
            f"...): give --weights those, or, where new ones are to ship, {_AGAIN}"
        )
    return dict(record)


def write_record(path: Path, record: Record) -> None:
    """Write figures for later comparisons; EvaluationError where sets with a floor are missing."""
    missing = [name for name in FLOORS if name not in record["sets"]]
    if missing:
        raise EvaluationError(f"nothing recorded without {', '.join(missing)}: give --data")
    try:
        path.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}") from error


def shortfalls(measured: Mapping[str, Figures], record: Record) -> Iterator[str]:
    """Yield a line for each recorded figure that was missed by more than one query, by set."""
    for name, figures in measured.items():
        recorded = record["sets"].get(name)
        if recorded is None:
            yield f"{name}: no figures on record; {_AGAIN}"
        elif recorded["queries"] != figures.queries:
            yield (
                f"{name}: {figures.queries} queries, recorded were {recorded['queries']}: the set"
                f" has changed; {_AGAIN}"
            )
        else:
            yield from _missed(name, figures, recorded["recalls"])


def _missed(
    name: str, figures: Figures, recorded: Mapping[str, Mapping[str, float]]
) -> Iterator[str]:
    for mode, recalls in recorded.items():
        for n, before in recalls.items():
            now = figures.recalls.get(mode, {}).get(n, 0.0)
            if round((before - now) * figures.queries) > _TOLERANCE:
                yield f"{name}: {mode} R@{n} is {now:.3f}, recorded was {before:.3f}"


def below_floors(measured: Mapping[str, Figures]) -> Iterator[str]:
    """Yield a line for each set whose two-stage Recall@1 is below its floor."""
    for name, floor in FLOORS.items():
        if name in measured:
            reached = measured[name].recalls.get("two-stage", {}).get("1", 0.0)
            if reached < floor:
                yield f"{name}: two-stage R@1 is {reached:.3f}, below the floor of {floor:.2f}"
