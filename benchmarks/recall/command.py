"""`python -m benchmarks.recall`: measure, print, and compare or record."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks.recall.baseline import Baseline
from benchmarks.recall.measuring import NS, Figures, measure
from benchmarks.recall.real import SETS
from benchmarks.recall.record import (
    GOALS,
    RECORDED,
    below_goals,
    read_record,
    shortfalls,
    write_record,
)
from benchmarks.recall.rendered import rendered
from selavpr_core.describer import Describer, load_describer
from training.command import Parser
from training.errors import EvaluationError
from training.evaluation import EvaluationSet
from training.evaluation.settings import MODES

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FELL_SHORT = 1


def main(arguments: Sequence[str]) -> None:
    """Measure and print; exits with 1 where `--check` finds figures that fell short."""
    options = _parser().parse_args(arguments)
    describer = load_describer(options.weights, "cpu", "fp32")
    record = read_record(RECORDED, describer.fingerprint) if options.check else None
    left_out = {
        name: f"{options.data / place} is not there (--data)"
        for name, (place, _) in SETS.items()
        if not (options.data / place).exists()
    }
    if options.record and left_out:
        raise EvaluationError(f"--record needs every set: {'; '.join(left_out.values())}")
    # It answers what evaluation asks a describer for.
    baseline = cast(Describer, Baseline(options.baseline)) if options.baseline else None
    measured: dict[str, Figures] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="recall.") as work:
            for each in _sets(options, left_out, Path(work)):
                measured[each.name] = measure(describer, each, Path(work, "descriptions"), baseline)
    except OSError as error:
        raise EvaluationError(f"{error.filename}: {error.strerror or error}") from error
    report = _report(describer, baseline, measured)
    short: list[str] = []
    if record is not None:
        short = list(shortfalls(measured, record))
        for name in left_out.keys() & record.keys():
            left_out[name] += "; its recorded figures are not compared"
    if options.json:
        checked = {} if record is None else {"fell_short": short}
        goals = {"goals_not_reached": list(below_goals(measured))}
        print(json.dumps({**report, "left_out": left_out, **goals, **checked}, indent=2))
    else:
        print(_table(report, measured, left_out))
        for line in below_goals(measured):
            print(f"goal not reached: {line}")
    if options.record:
        write_record(RECORDED, report)
        print(f"recorded in {RECORDED}", file=sys.stderr)
    if record is not None:
        for line in short:
            print(f"fell short: {line}", file=sys.stderr)
        if short:
            raise SystemExit(FELL_SHORT)
        if not options.json:
            print("\nnothing fell short of the recorded figures")


def _sets(
    options: argparse.Namespace, left_out: Container[str], work: Path
) -> Iterator[EvaluationSet]:
    """Read the sets that are there, each when it is asked for."""
    # What has no goal is for information only, and not worth the time of a check.
    information = () if options.check else (name for name in SETS if name not in GOALS)
    for name in (*GOALS, *information):
        if name == "rendered":
            yield rendered(options.places, work)
        elif name not in left_out:
            yield SETS[name][1](options.data, work)


def _report(
    describer: Describer, baseline: Describer | None, measured: Mapping[str, Figures]
) -> dict[str, Any]:
    """Return what is recorded, as JSON values."""
    return {
        "weights": describer.source,
        "preset": describer.preset,
        "trained": describer.pretrained,
        "fingerprint": describer.fingerprint,
        "precision": f"{describer.precision} on {describer.device}",
        **({} if baseline is None else {"baseline": Path(baseline.source).name}),
        "sets": {name: figures.to_json() for name, figures in measured.items()},
    }


def _table(
    report: Mapping[str, Any], measured: Mapping[str, Figures], left_out: Mapping[str, str]
) -> str:
    """Return the figures of all sets, a line each, and what was left out."""
    modes = [mode for mode in reversed(MODES) if any(mode in f.recalls for f in measured.values())]
    heads = [*modes, *(["baseline"] if "baseline" in report else [])]
    trained = "" if report["trained"] else ", untrained"
    lines = [
        f"weights {report['weights']} (preset {report['preset']}{trained}), {report['precision']},"
        f" fingerprint {report['fingerprint'][:12]}"
    ]
    if "baseline" in report:
        lines.append(f"baseline {report['baseline']}, float only")
    lines += [
        "",
        _row(["%", "right", "queries", "chance"], [[head, ""] for head in heads]),
        _row([""] * 4, [[f"R@{n}" for n in NS]] * len(heads)),
    ]
    for name, figures in measured.items():
        first = [name, figures.rule, str(figures.queries), _percent(figures.chance)]
        found = [figures.recalls.get(mode, {}) for mode in modes]
        if "baseline" in report:
            found.append(figures.baseline or {})
        lines.append(_row(first, [[_percent(one.get(str(n))) for n in NS] for one in found]))
        if figures.unreadable:
            lines.append(
                f"  {figures.unreadable} of its images cannot be read, and count as failed"
            )
    return "\n".join([*lines, *(f"left out: {name}, {why}" for name, why in left_out.items())])


def _row(first: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    name, rule, queries, chance = first
    recalls = "".join(f"  {one:>9}{five:>6}" for one, five in cells)
    return f"{name:17}{rule:23}{queries:>7}{chance:>8}{recalls}".rstrip()


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _parser() -> Parser:
    parser = Parser(
        prog="python -m benchmarks.recall",
        description="Print Recall@1 and @5 of weights on recorded and on rendered places. The"
        " protocols are in benchmarks/recall/__init__.py.",
    )
    parser.add_argument("--weights", default="tiny", help="a name or a file; default: tiny")
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR",
        help="folder of the recorded sets; default: ../shared/data beside the checkout",
    )  # fmt: skip
    parser.add_argument(
        "--places", type=Path, metavar="DIR",
        help="keep the rendered places in this folder, and take them from it the next time",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE",
        help="an ONNX file from an image to `map`, measured beside the weights by its mean",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check", action="store_true",
        help="exit with 1 where a figure falls short of those recorded",
    )  # fmt: skip
    action.add_argument("--record", action="store_true", help=f"write {RECORDED.name}")
    return parser
