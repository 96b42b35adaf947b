"""The figures of a result as rows of text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.evaluation.result import EvaluationResult, ModeResult

UNKNOWN = "–"  # noqa: RUF001 (the dash that stands for no figure)
_NAMES = {"float": "Float descriptors alone", "code": "Codes alone", "two-stage": "Two-stage"}
_STAGES = {
    "hamming": "search of the codes",
    "exhaustive": "search of the descriptors",
    "reranking": "re-ranking",
    "whole": "whole query",
}
_PERCENTILES = {"50": "Median", "90": "90th", "99": "99th", "max": "Longest"}


@dataclass(frozen=True)
class Cell:
    """One figure. best: whether no other row of its column is better."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """heads: the texts of a row's heads. cells: its figures. span: rows that its first head
    stands for, 0 in the rows below the one that has it.
    """

    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    span: int = 1


@dataclass(frozen=True)
class Table:
    """heads: of the columns, those of the rows' heads first. rows: the rest."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def mode_name(name: str, mode: ModeResult) -> str:
    """Return a mode in words: "Two-stage, 100 candidates"."""
    words = _NAMES.get(mode.mode, name)
    return words if mode.candidates is None else f"{words}, {mode.candidates} candidates"


def results_table(result: EvaluationResult) -> Table:
    """Return recall, precision-recall and the size of a place, a row for each mode."""
    ns = sorted({n for mode in result.modes.values() for n in mode.recalls})
    columns = [[mode.recalls.get(n, math.nan) for mode in result.modes.values()] for n in ns]
    columns.append([mode.curve.area for mode in result.modes.values()])
    columns.append([mode.curve.recall_at_full_precision for mode in result.modes.values()])
    cells = [_best_marked(column) for column in columns]
    cells.append([
        Cell(_bytes(result.bytes_per_place.get(name, result.bytes_per_place.get(mode.mode))))
        for name, mode in result.modes.items()
    ])  # fmt: skip
    full = "Recall at 100\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}precision"
    heads = ("Mode", *(f"R@{n}" for n in ns), "PR area", full, "Bytes per place")
    return Table(
        heads,
        tuple(
            Row((mode_name(name, mode),), tuple(column[row] for column in cells))
            for row, (name, mode) in enumerate(result.modes.items())
        ),
    )


def latency_table(result: EvaluationResult) -> Table | None:
    """Return milliseconds, a row for each mode and stage; None where none were measured."""
    measured = [mode.latency for mode in result.modes.values()]
    percentiles = _in_order(
        {key for stages in measured for stage in stages.values() for key in stage}
    )
    if not percentiles:
        return None
    rows = [
        Row(
            (mode_name(name, mode), _STAGES.get(stage, stage)),
            tuple(Cell(_milliseconds(figures.get(key))) for key in percentiles),
            span=0 if position else len(mode.latency),
        )
        for name, mode in result.modes.items()
        for position, (stage, figures) in enumerate(mode.latency.items())
    ]
    heads = ("Mode", "Stage", *(_PERCENTILES.get(key, key) for key in percentiles))
    return Table(heads, tuple(rows))


def protocol_rows(protocol: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what decides about the figures as names and values; nested ones are joined."""
    return [(_words(key), _value(value)) for key, value in protocol.items()]


def summary_rows(protocol: Mapping[str, Any], rule: str) -> list[tuple[str, str]]:
    """Return what a reader asks first, as far as the protocol says it. rule: the set's own."""
    rows = [("Rule for a right match", _value(protocol.get("rule", rule)))]
    if "queries_without_positives" in protocol:
        rows.append(
            ("Queries without a right place", _value(protocol["queries_without_positives"]))
        )
    if "weights" in protocol:
        rows.append(("Weights", _value(protocol["weights"])))
    if "fingerprint" in protocol:
        rows.append(("Fingerprint", _value(protocol["fingerprint"])[:12]))
    return rows


def percent(share: float) -> str:
    """Write a share, 0 to 1, as "93.2 %" with a space that does not break; a dash for NaN."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%" if math.isfinite(share) else UNKNOWN


def _best_marked(column: Sequence[float]) -> list[Cell]:
    shown = [percent(value) for value in column]
    finite = [value for value in column if math.isfinite(value)]
    best = percent(max(finite)) if finite and percent(max(finite)) != percent(min(finite)) else None
    return [Cell(text, text == best) for text in shown]


def _bytes(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def _in_order(percentiles: Iterable[str]) -> list[str]:
    def place(key: str) -> tuple[float, str]:
        try:
            return float(key), key
        except ValueError:
            return math.inf, key

    return sorted(percentiles, key=place)


def _milliseconds(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _words(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{str(k).replace('_', ' ')} {_value(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return UNKNOWN if value is None else str(value)
