"""`python -m benchmarks.calibration`: render, describe, calibrate, and print the figures."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration.drives import describe_drives
from benchmarks.calibration.measuring import CASES, Row, figure, measure
from selavpr_core.describer import load_describer
from selavpr_ros.progress import progress_bar
from training.command import Parser
from training.errors import EvaluationError

LEAST_TOWNS = 4  # one is left out, and half of a map of one or two lies around every query


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    describer = load_describer(options.weights, "cpu", "fp32")
    try:
        with tempfile.TemporaryDirectory(prefix="calibration.") as folder:
            work = Path(folder)
            kept = options.keep or work / "kept"
            drives = describe_drives(describer, options.seed, options.towns, kept, work)
            maps = len(CASES) * options.towns
            with progress_bar("calibrating", maps, "maps") as bar:
                rows = measure(drives, bar.update)
    except OSError as error:
        raise EvaluationError(f"{error.filename}: {error.strerror or error}") from error
    print(json.dumps([_report(row) for row in rows], indent=2) if options.json else _table(rows))


def _report(row: Row) -> dict[str, Any]:
    return {
        "map": row.case.map,
        "by": row.case.by,
        "wanted": row.wanted,
        "maps": [
            {
                "without_town": fold.town,
                "kind": fold.kind,
                **fold.choice._asdict(),
                "shown": fold.choice.shown,
                "held_back": {name: tried._asdict() for name, tried in fold.tried.items()},
            }
            for fold in row.folds
        ],
    }


def _table(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        stored = [fold for fold in row.folds if fold.choice.reached]
        by = row.case.by or f"own places ({', '.join(sorted({fold.kind for fold in row.folds}))})"
        lines.append(
            f"map {' + '.join(row.case.map)}, by {by}, wanted {100 * row.wanted:g} %:"
            f" {len(stored)} of {len(row.folds)} stored"
        )
        if not stored:
            shown = [fold.choice.shown for fold in row.folds]
            lines.append(f"    shown at most {_percent(min(shown))} to {_percent(max(shown))}")
            continue
        there = float(np.mean([fold.choice.recall for fold in stored]))
        for name in row.case.held_back:
            one = figure(stored, name)
            lowest = np.nanmin([figure([fold], name).precision for fold in stored])
            lines.append(
                f"    {name:10} precision {_percent(one.precision)}, lowest {_percent(lowest)},"
                f" recall {_percent(one.recall)} (there {_percent(there)}), {one.answered} answers"
            )
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:5.1f} %"


def _parser() -> Parser:
    parser = Parser(
        prog="python -m benchmarks.calibration",
        description="Print how often calibrated thresholds are right on rendered drives that took"
        " no part in the calibration. The protocol is in benchmarks/calibration/__init__.py.",
    )
    parser.add_argument("--weights", default="tiny", help="a name or a file; default: tiny")
    parser.add_argument(
        "--seed", type=int, default=5, metavar="N", help="another one, other towns; default: 5"
    )
    parser.add_argument(
        "--towns",
        type=_towns,
        default=5,
        metavar="N",
        help="up to 8 are of different kinds; default: 5",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR",
        help="keep pictures and descriptions here, and go on with those that are here",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON list instead")
    return parser


def _towns(text: str) -> int:
    towns = int(text)
    if towns < LEAST_TOWNS:
        raise argparse.ArgumentTypeError(f"{text} towns are too few: give at least {LEAST_TOWNS}")
    return towns
