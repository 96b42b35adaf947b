"""`python -m benchmarks.loop_closure`: measure and print."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.loop_closure.alike import alike
from benchmarks.loop_closure.measuring import (
    SHIPPED,
    VERIFICATIONS,
    drive,
    figures,
    in_hindsight,
    verified,
)
from benchmarks.loop_closure.real import READERS
from benchmarks.loop_closure.recording import Recording
from selavpr_core.describer import Describer, load_describer
from selavpr_core.place_map import ModelInfo
from selavpr_ros.loop_closure import Closure, Keyframe, LoopClosureSettings
from training.command import Parser
from training.errors import EvaluationError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def main(arguments: Sequence[str]) -> None:
    """Measure every set that is there and print its figures."""
    options = _parser().parse_args(arguments)
    describer = load_describer(options.weights, "cpu", "fp32")
    left_out = {
        name: f"{options.data / place} is not there (--data)"
        for name, (place, _) in READERS.items()
        if not (options.data / place).exists()
    }
    sets: dict[str, Any] = {}
    try:
        for recording in _recordings(options.data, left_out):
            sets[recording.name] = measure(recording, describer)
    except OSError as error:
        raise EvaluationError(f"{error.filename}: {error.strerror or error}") from error
    report = {
        "weights": describer.source,
        "fingerprint": describer.fingerprint,
        "sets": sets,
        "left_out": left_out,
    }
    print(json.dumps(report, indent=2, allow_nan=False) if options.json else _table(report))


def _recordings(data: Path, left_out: dict[str, str]) -> Iterator[Recording]:
    for name, (_, read) in READERS.items():
        if name not in left_out:
            yield read(data)
    yield alike()


def measure(recording: Recording, describer: Describer) -> dict[str, Any]:
    """Return the figures of a recording as JSON values; a bar on stderr shows how far it is."""
    model = ModelInfo(
        describer.fingerprint,
        describer.source,
        describer.preset,
        describer.pretrained,
        describer.descriptor_dim,
        describer.code_bytes,
    )
    steps = len(VERIFICATIONS) + 2
    with tqdm(total=steps, desc=recording.name, leave=False, disable=None) as bar:
        descriptions = recording.described(describer)
        bar.update()
        whatever = replace(verified(recording.settings, "none"), similarity_threshold=-1.0)
        best, _ = drive(recording, descriptions, model, whatever)
        bar.update()
        driven: dict[LoopClosureSettings, tuple[list[Keyframe], dict[str, int]]] = {}
        for name in VERIFICATIONS:
            settings = verified(recording.settings, name)
            if settings not in driven:  # what is shipped may be one of the others
                driven[settings] = drive(recording, descriptions, model, settings)
            bar.update()
    found = {
        name: figures(recording, *driven[verified(recording.settings, name)])
        for name in VERIFICATIONS
    }
    shipped, _ = driven[recording.settings]
    return {
        "rule": recording.rule,
        "frames": len(recording),
        "verifications": {name: each.to_json() for name, each in found.items()},
        "similarity_in_hindsight": in_hindsight(recording, best, lambda c: c.similarity),
        "inliers_in_hindsight": in_hindsight(recording, shipped, _inliers),
    }


def _inliers(closure: Closure) -> float:
    found = closure.verification.get("geometry")
    return math.nan if found is None else float(found["inliers"])


def _table(report: dict[str, Any]) -> str:
    lines = [
        f"weights {report['weights']}, fingerprint {report['fingerprint'][:12]}",
        "",
        f"{'':17}{'verification':14}{'closures':>9}{'false':>7}{'precision':>11}{'recall':>8}",
    ]
    for name, measured in report["sets"].items():
        first = name
        for verification, found in measured["verifications"].items():
            lines.append(
                f"{first:17}{verification:14}{found['closures']:9}{found['false']:7}"
                f"{_percent(found['precision']):>11}{_percent(found['recall']):>8}"
            )
            first = ""
        shipped = measured["verifications"][SHIPPED]
        similarity, inliers = (
            _percent(measured[f"{score}_in_hindsight"]["recall_at_full_precision"])
            for score in ("similarity", "inliers")
        )
        lines += [
            f"  {measured['frames']} frames, {shipped['answerable']} queries can be answered; right"
            f" by {measured['rule']}",
            f"  recall at precision 1 in hindsight: {similarity} by similarity alone, {inliers} by"
            " the inliers of what is shipped",
            f"  first closure {_pair(shipped['first'])}, last {_pair(shipped['last'])}; rejected: "
            + (", ".join(f"{count} {why}" for why, count in shipped["rejected"].items()) or "none"),
        ]
        if shipped["metres"] is not None:
            median, most = shipped["metres"]
            lines.append(f"  its ends lie {median:.1f} m apart (median), at most {most:.1f} m")
    lines += [f"left out: {name}, {why}" for name, why in report["left_out"].items()]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _pair(pair: tuple[int, int] | None) -> str:
    return "none" if pair is None else f"of frame {pair[0]} with {pair[1]}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmarks.loop_closure",
        description="Print precision and recall of loop closure on recorded and on rendered drives."
        " The protocols are in benchmarks/loop_closure/__init__.py.",
    )
    parser.add_argument("--weights", default="tiny", help="a name or a file; default: tiny")
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA,
        metavar="DIR",
        help="folder of the recorded sets; default: ../shared/data beside the checkout",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
