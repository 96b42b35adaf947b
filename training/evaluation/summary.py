"""An evaluation's result as a table for a person."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from training.evaluation.result import EvaluationResult, ModeResult

_STAGES = {
    "preprocessing": "preprocessing",
    "inference": "inference",
    "hamming": "Hamming",
    "reranking": "re-ranking",
    "exhaustive": "exhaustive",
    "whole": "whole",
}
_LISTED = 20  # unreadable images; all of them are in the JSON
_WIDTH = 100


def summary(result: EvaluationResult) -> str:
    """Return the summary: the set, recall, latency, what was left out, and the protocol."""
    parts = [_set(result), _recalls(result), _latency(result), _left_out(result)]
    return "\n\n".join(part for part in [*parts, _protocol(result)] if part)


def _set(result: EvaluationResult) -> str:
    protocol = result.protocol
    scored = _scored(result)
    lines = [
        *textwrap.wrap(f"{protocol['set']}: {protocol['variant']}", _WIDTH),
        f"{result.database_size:,} database images, {result.query_count:,} queries"
        + (f"; right: {protocol['rule']}" if scored else ""),
    ]
    if result.without_positives and scored:
        lines.append(
            f"{result.without_positives:,} queries without positives:"
            f" {protocol['queries_without_positives']}"
        )
    return "\n".join(lines)


def _scored(result: EvaluationResult) -> bool:
    """Return whether there was a ground truth."""
    return any(mode.recalls for mode in result.modes.values())


def _recalls(result: EvaluationResult) -> str:
    """Without ground truth, all that there is to say is what a place takes."""
    scored = _scored(result)
    ns = result.protocol["ns"] if scored else []
    head = ["%" if scored else "", *(f"R@{n}" for n in ns)]
    head += [*(["PR area", "R at P=100", "threshold"] if scored else []), "bytes/place"]
    rows = []
    for mode in result.modes.values():
        curve = mode.curve
        row = [_name(mode), *(_percent(mode.recalls[n]) for n in ns)]
        if scored:
            row += [
                _percent(curve.area),
                _percent(curve.recall_at_full_precision),
                _fixed(curve.threshold_at_full_precision, 3),
            ]
        rows.append([*row, f"{result.bytes_per_place[mode.mode]:,}"])
    return _table(head, rows)


def _latency(result: EvaluationResult) -> str:
    modes = [mode for mode in result.modes.values() if mode.latency]
    if not modes:
        return ""
    there = [stage for stage in _STAGES if any(stage in mode.latency for mode in modes)]
    rows = []
    for mode in modes:
        cells = []
        for stage in there:
            times = mode.latency.get(stage)
            cells.append(
                "/".join(_milliseconds(times[p]) for p in ("50", "90", "99")) if times else "-"
            )
        rows.append([_name(mode), *cells])
    head = ["ms", *(_STAGES[stage] for stage in there)]
    protocol = result.protocol
    return (
        f"Latency of {protocol['latency_queries']} queries, one at a time, on {protocol['device']}"
        f" in {protocol['precision']}: median/90 %/99 %\n{_table(head, rows)}"
    )


def _left_out(result: EvaluationResult) -> str:
    lines = [f"not evaluated: {mode}, {why}" for mode, why in (result.unavailable or {}).items()]
    if result.unreadable:
        queries = sum(image.role == "query" for image in result.unreadable)
        lines.append(
            f"images that cannot be read: database {len(result.unreadable) - queries} (never"
            f" found), queries {queries} (failed)"
        )
        lines += [f"  {i.role}  {i.path}: {i.reason}" for i in result.unreadable[:_LISTED]]
        if len(result.unreadable) > _LISTED:
            lines.append(f"  and {len(result.unreadable) - _LISTED} more, see --json")
    return "\n".join(lines)


def _protocol(result: EvaluationResult) -> str:
    protocol = result.protocol
    preprocessing = protocol["preprocessing"]
    height, width = preprocessing["size"]
    antialias = "with" if preprocessing["antialias"] else "no"
    trained = "" if protocol["trained"] else ", untrained"
    entries = {
        "weights": f"{protocol['weights']} (preset {protocol['preset']}{trained})",
        "fingerprint": protocol["fingerprint"],
        "images": f"{width} x {height}, {preprocessing['interpolation']}, {antialias} antialias,"
        " aspect ratio squashed",
        "queries first": protocol["query_resize"] or "not resized",
        "without positives": f"queries are {protocol['queries_without_positives']}",
        "precision": f"{protocol['precision']} on {protocol['device']}",
        "stored": protocol["stored"],
        "versions": ", ".join(f"{name} {number}" for name, number in protocol["versions"].items()),
    }
    width = max(map(len, entries))
    lines = ["Protocol"]
    for name, text in entries.items():
        indent = " " * (width + 4)
        lines += textwrap.wrap(
            f"  {name:<{width}}  {text}", _WIDTH, subsequent_indent=indent, break_long_words=False
        )
    return "\n".join(lines)


def _name(mode: ModeResult) -> str:
    return mode.mode if mode.candidates is None else f"{mode.mode} ({mode.candidates})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align all columns right but the first."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for first, *others in (head, *rows):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def _percent(value: float) -> str:
    return _fixed(100 * value, 1)


def _fixed(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2f}"
