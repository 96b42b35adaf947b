"""`python -m training.evaluate`: recall, precision and latency of weights on a named set."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from training.command import Parser, run
from training.errors import EvaluationError
from training.evaluation import (
    SETS,
    EvaluationResult,
    EvaluationSet,
    EvaluationSettings,
    load_set,
    pair_set,
)
from training.evaluation.predictions import write_predictions
from training.evaluation.settings import default_cache, default_workers
from training.evaluation.summary import summary

_COUNTED = {"counted": True, "left-out": False}


def main(argv: Sequence[str]) -> None:
    """Evaluate, and print the summary or, with --json, everything but the rankings."""
    options = _parser().parse_args(argv)
    settings = _settings(options)
    evaluation_set = _evaluation_set(options)
    for folder in (options.report, options.predictions):
        if folder is not None:
            _make(folder)
    # After the mistakes that can be told without it: torch takes seconds to import.
    import torch

    from selavpr_core.describer import Describer
    from selavpr_core.model import SelaVPR
    from training.evaluation import evaluate

    model = SelaVPR.from_pretrained(options.weights)
    describer = Describer(model, options.device, options.precision, options.batch_size)
    try:
        result = evaluate(describer, evaluation_set, settings)
    except torch.cuda.OutOfMemoryError:
        raise EvaluationError(
            f"the GPU's memory is too small for batches of {options.batch_size}: lower --batch-size"
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; the same command goes on with what was described"
        ) from None
    written = _written(options, result, evaluation_set)
    if options.report is not None:
        from training.report import write_report

        written.append(write_report(options.report, result, evaluation_set, model))
    if options.json:
        print(json.dumps({**result.to_json(), "written": [str(p) for p in written]}, indent=2))
    else:
        print(summary(result))
        if written:
            print("\n" + "\n".join(f"written: {path}" for path in written))


def _parser() -> Parser:
    parser = Parser(
        prog="python -m training.evaluate",
        description="Recall@N, precision against recall, latency and bytes per place of weights, on"
        " a named set or on any two folders or tables of images. What was described once is kept"
        " and used again for the same weights, preprocessing and files.",
        examples=[
            (
                "python -m training.evaluate --weights best.safetensors --dataset msls-val"
                " --root msls/",
                "the 740 queries that papers report",
            ),
            (
                "python -m training.evaluate --weights large --dataset nordland-a --root nordland/"
                " --candidates 20,50,100,200",
                "two-stage retrieval with several numbers of candidates",
            ),
            (
                "python -m training.evaluate --weights base --database day.csv --queries night.csv"
                " --report night/",
                "your own images, with a page to look at",
            ),
        ],
    )
    parser.add_argument(
        "--weights",
        required=True,
        metavar="FILE",
        help="a .safetensors or published .pth file, tiny (it comes with selavpr_ros), base or"
        " large (fetched once), or random:PRESET (untrained)",
    )
    what = parser.add_argument_group("what to evaluate on")
    what.add_argument("--dataset", metavar="NAME", help=f"one of {', '.join(SETS)}")
    what.add_argument("--root", type=Path, metavar="DIR", help="folder of the dataset")
    what.add_argument(
        "--database",
        type=Path,
        metavar="PATH",
        help="a folder of images with @ names, or a CSV with the columns path, and latitude and"
        " longitude or east and north",
    )
    what.add_argument("--queries", type=Path, metavar="PATH", help="the same for the queries")

    protocol = parser.add_argument_group("protocol", "each is printed with the result")
    protocol.add_argument(
        "--radius",
        type=_not_negative,
        metavar="METRES",
        help="within which a database image is a right one; default: 25",
    )
    protocol.add_argument(
        "--heading",
        type=_not_negative,
        metavar="DEGREES",
        help="that headings may differ by as well (40 for MSLS in the paper's text); default:"
        " positions alone, as in published code",
    )
    protocol.add_argument(
        "--queries-without-positives",
        choices=tuple(_COUNTED),
        help="whether they are in the denominator of recall; default: the set's published habit",
    )
    protocol.add_argument(
        "--modes",
        type=_names,
        metavar="LIST",
        help="of float, code, two-stage; default: all that the weights can do",
    )
    protocol.add_argument(
        "--candidates",
        type=_numbers,
        default=(100,),
        metavar="LIST",
        help="of the first stage, 20,50,100,200 for example; default: 100",
    )
    protocol.add_argument(
        "--ns",
        type=_numbers,
        default=(1, 5, 10, 100),
        metavar="LIST",
        help="the N of Recall@N; default: 1,5,10,100",
    )
    protocol.add_argument(
        "--strict", action="store_true", help="fail where an image cannot be read, with the list"
    )

    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the result as JSON")
    output.add_argument(
        "--report", type=Path, metavar="DIR", help="write a page with curves and the worst queries"
    )
    output.add_argument(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="write the rankings, a line a query; default: this folder for msls-challenge",
    )

    work = parser.add_argument_group("computing")
    work.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N; default: auto")
    work.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "fp16", "bf16"),
        help="auto: fp16 on CUDA, fp32 on the CPU; default: auto",
    )
    work.add_argument(
        "--batch-size",
        type=_positive,
        default=32,
        metavar="N",
        help="images described at once; default: 32",
    )
    work.add_argument(
        "--workers",
        type=_positive,
        default=default_workers(),
        metavar="N",
        help=f"threads that read images; default: {default_workers()}",
    )
    work.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        metavar="DIR",
        help="where descriptors are kept; default: ~/.cache/selavpr/descriptors, or below"
        " XDG_CACHE_HOME",
    )
    work.add_argument(
        "--latency-queries",
        type=_count,
        default=100,
        metavar="N",
        help="queries to measure latency with, 0 for none; default: 100",
    )
    return parser


def _settings(options: argparse.Namespace) -> EvaluationSettings:
    return EvaluationSettings(
        modes=options.modes,
        candidates=options.candidates,
        ns=options.ns,
        count_without_positives=_COUNTED.get(options.queries_without_positives),
        cache=options.cache,
        workers=options.workers,
        strict=options.strict,
        latency_queries=options.latency_queries,
    )


def _evaluation_set(options: argparse.Namespace) -> EvaluationSet:
    pair = (options.database, options.queries)
    if options.dataset is not None and pair == (None, None):
        if options.root is None:
            raise EvaluationError(f"give the folder of {options.dataset} with --root")
        return load_set(
            options.dataset, options.root, radius=options.radius, heading=options.heading
        )
    if options.dataset is not None or options.root is not None or None in pair:
        raise EvaluationError("give --dataset and --root, or --database and --queries")
    return pair_set(*pair, radius=options.radius, heading=options.heading)


def _make(folder: Path) -> None:
    """Make a folder that results go into, so that a mistake in it does not cost them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"the folder {folder} cannot be made: {error.strerror}; name another one"
        ) from None
    if not os.access(folder, os.W_OK):
        raise EvaluationError(f"nothing can be written to {folder}: name another folder")


def _written(
    options: argparse.Namespace, result: EvaluationResult, evaluation_set: EvaluationSet
) -> list[Path]:
    folder = options.predictions
    if folder is None and evaluation_set.name == "msls-challenge":
        folder = Path()
    return [] if folder is None else write_predictions(folder, result, evaluation_set)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",")))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({_positive(part) for part in text.split(",")}))


def _positive(text: str) -> int:
    number = _count(text)
    if number == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def _count(text: str) -> int:
    if not text.strip().isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return number


if __name__ == "__main__":
    sys.exit(run(main))
