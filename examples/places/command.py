"""`python -m examples.places`: render the example's places into a folder."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from examples.places.files import render_places
from examples.places.towns import MOST_TOWNS, TOWNS
from selavpr_core.errors import SelaVPRError
from selavpr_ros.cli.options import positive_integer
from training.command import Parser


class PlacesError(SelaVPRError):
    """A folder that the places cannot be written to."""


def main(arguments: Sequence[str]) -> None:
    """Render the places and print what there is and what to do with it."""
    options = _parser().parse_args(arguments)
    # Ended from outside, the half-done folder goes as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    output: Path = options.output
    started = time.monotonic()
    try:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise PlacesError(f"{output} is there already: give another --output, or remove it")
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as work:
            made = Path(work, "places")
            made.mkdir()
            with tqdm(desc="drives", unit="drive", disable=None) as bar:

                def progress(done: int, total: int) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                counts = render_places(
                    made,
                    options.seed,
                    options.processes,
                    progress,
                    towns=options.towns,
                    streets=options.streets,
                    training_streets=options.training_streets,
                )
            made.replace(output)  # complete or not there
    except OSError as error:
        raise PlacesError(f"{output} cannot be written: {error.strerror or error}") from error
    for name, count in counts.items():
        print(f"{count:6} pictures in {output / name}")
    print(f"rendered in {time.monotonic() - started:.0f} s; next:")
    print(f"  python -m training.prepare --csv {output / 'train.csv'} --output {output / 'index'}")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m examples.places",
        description="Render drives through towns: pictures with a table to train with, and two"
        " drives through each of two other towns to validate and test on. See docs/training.md.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to make")
    parser.add_argument(
        "--seed", type=_whole, default=0, metavar="N", help="another seed, other towns; default: 0"
    )
    parser.add_argument(
        "--towns", type=_towns, default=TOWNS, metavar="N",
        help=f"towns to train in; default: {TOWNS}",
    )  # fmt: skip
    parser.add_argument(
        "--training-streets", type=positive_integer, metavar="N",
        help="streets to train in: the first N of each town; default: all",
    )  # fmt: skip
    parser.add_argument(
        "--streets", type=positive_integer, metavar="N",
        help="streets to validate in, and to test in: the first N of their town; default: all",
    )  # fmt: skip
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--processes", type=positive_integer, default=cores, metavar="N",
        help=f"drives rendered at once; default: the cores, {cores} here",
    )  # fmt: skip
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _towns(text: str) -> int:
    count = positive_integer(text)
    if count > MOST_TOWNS:
        raise argparse.ArgumentTypeError(f"{text} are too many: at most {MOST_TOWNS}")
    return count
