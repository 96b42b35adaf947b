"""Trains a network: `python -m training.train --config FILE [--resume] [KEY=VALUE ...]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selavpr_core.errors import SelaVPRError
from training.command import Parser, run
from training.run.stopping import Stopped


def main(arguments: Sequence[str]) -> None:
    """Train what the command line asks for and print what came of it."""
    options = _parser().parse_intermixed_args(arguments)
    # After the command line was found to be good: torch takes seconds to import,
    from training.run.config import load_config

    config = load_config(options.config, options.overrides)
    # and after the configuration was: so does Lightning.
    from training.run.ranks import is_lead
    from training.run.training import read_summary, train

    try:
        train(config, resume=options.resume)
    except (SelaVPRError, Stopped) as end:
        if not is_lead():
            # The lead says it; and Lightning kills a lead whose helpers leave with another code.
            raise SystemExit(0) from end
        if isinstance(end, Stopped):
            print(end.message, file=sys.stderr)
        raise
    if is_lead():
        summary = read_summary(config.folder)
        print(json.dumps(summary, indent=2) if options.json else readable(summary))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m training.train",
        description="Train a branch, or both, on an index of places. A run leaves the folder "
        "runs/NAME with best.safetensors, metrics, and what it needs to be resumed. "
        "Exit code 0 when it is finished, 2 for a mistake; SIGINT and SIGTERM save first and leave "
        "with 130 and 143.",
        examples=[
            (
                "python -m training.train --config training/configs/base_float.yaml "
                "data.index=unified/",
                "the float branch, from DINOv2",
            ),
            (
                "python -m training.train --config training/configs/base_hash.yaml "
                "data.index=unified/ model.init=runs/base_float/best.safetensors",
                "the hash branch beside it",
            ),
            (
                "python -m training.train --config runs/base_float/config.yaml --resume",
                "go on with a run that was stopped",
            ),
        ],
    )
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="a YAML file: training/configs/"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run of that name, as if never stopped"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the summary as JSON on standard output"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="instead of the file's value, such as optimizer.learning_rate=1e-4 (VALUE is YAML)",
    )
    return parser


_ENDS = {
    "epochs": "all epochs done",
    "patience": "no better epoch for a while",
    "max_steps": "max_steps reached",
}


def readable(summary: dict[str, Any]) -> str:
    """Return a summary for a person, several lines."""
    if summary["recalls"]:
        recalls = ", ".join(f"R@{n} {100 * r:.1f} %" for n, r in summary["recalls"].items())
    else:
        recalls = "no validation set, so the last one"
    rows = [
        ("run", f"{summary['run']}: {_ENDS[summary['ended']]}"),
        ("best epoch", f"{summary['best_epoch']} ({recalls})"),
        (
            "trained",
            f"{summary['epochs']} epochs, {summary['steps']} steps, {summary['images']} images "
            f"in {_duration(summary['seconds'])}",
        ),
    ]
    if summary["peak_memory_bytes"] is not None:
        rows.append(("GPU memory", f"{summary['peak_memory_bytes'] / 1e9:.1f} GB at most"))
    undecodable = summary["undecodable"]
    if undecodable:
        rows.append(("undecodable", f"{undecodable} images: {summary['undecodable_list']}"))
    rows += [
        ("weights", summary["weights"]),
        ("fingerprint", summary["fingerprint"]),
        ("next", summary["next"]),
    ]
    return "\n".join(f"{name:12} {value}" for name, value in rows)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


if __name__ == "__main__":
    sys.exit(run(main))
