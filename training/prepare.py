"""`python -m training.prepare`: datasets and own images, where they lie, to one index of places."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

from tqdm import tqdm

from training.command import Parser, run
from training.datasets.frames import Frames
from training.datasets.gsv_cities import GsvCities
from training.datasets.msls import Msls
from training.datasets.own_photos import OwnPhotos
from training.datasets.own_table import OwnTable
from training.datasets.pitts30k import Pitts30k
from training.datasets.sf_xl import SfXl
from training.datasets.source import Source
from training.errors import ConfigError, DatasetError
from training.index.build import BuildSettings, Dataset, build_index
from training.index.checking import LEVELS
from training.index.division import (
    PUBLISHED,
    AnyDivision,
    Division,
    OwnPlaces,
    Stretches,
    with_settings,
)
from training.index.manifest import REPORT_JSON, REPORT_TEXT
from training.index.report import DatasetReport, table

_ALL_FRAMES = "frames"
_SETTINGS = """\
a place is a square cell of M metres under one of 360/alpha headings; places of one group are at
least (N-1) x M metres or a heading step apart. --set DATASET.KEY=VALUE changes

  M            metres of a cell's side
  alpha        degrees of a heading class (360: headings do not matter; needs L=1)
  N, L         cells and heading classes after which a group repeats: N x N x L groups
  groups       how many groups of a city are used
  min_images   places with fewer images are dropped
  length       consecutive frames of a clip that make a place; N places on, a group repeats;
               frames.KEY is for all folders of frames

                M  alpha   N   L  groups  min_images
"""


def main(argv: Sequence[str]) -> None:
    """Build an index and print what is in it.

    Raises:
        DatasetError, ConfigError: see training.index.build and --set.
    """
    options = _parser().parse_args(argv)
    settings = BuildSettings(check=options.verify, max_missing=options.max_missing / 100)
    reports = build_index(_datasets(options), options.output, settings, _progress)
    if options.json:
        print(json.dumps(_summary(reports, options.output), indent=2, ensure_ascii=False))
    else:
        print(table(reports))
        print(f"index: {options.output}")
        if any(report.total().faulty for report in reports):
            print(f"faulty images and entries, one by one: {options.output / REPORT_TEXT}")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m training.prepare",
        usage="python -m training.prepare DATASET... --output DIR [options]",
        description="Make one index of places from published datasets and from your own images. No"
        " image is copied; every image that cannot be used is counted, with the reason, in the"
        " index's report.txt.",
        examples=[
            (
                "python -m training.prepare --gsv-cities gsv-cities --sf-xl sf_xl --pitts30k"
                " pitts30k --msls msls --output unified",
                "the unified set of the paper",
            ),
            (
                "python -m training.prepare --csv campus.csv --set campus.M=10 --output campus",
                "your own images, listed in a table",
            ),
            (
                "python -m training.prepare --frames monday tuesday --set frames.length=10"
                " --output robot",
                "video of unknown places, ten neighbouring frames a place",
            ),
            (
                "python -m training.prepare --exif yard=photos --set yard.alpha=360 yard.L=1"
                " --output yard",
                "geotagged photos, places told apart by position alone",
            ),
        ],
    )
    _add_datasets(parser)
    rows = "".join(f"  {name:12}{_shown(division)}\n" for name, division in _defaults().items())
    division = parser.add_argument_group("division into places", _SETTINGS + rows)
    division.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="SETTING",
        help="such as msls.M=10 msls.groups=9",
    )
    checks = parser.add_argument_group("missing and damaged images")
    checks.add_argument(
        "--verify",
        choices=LEVELS,
        default="files",
        help="files: each is there and not empty; headers: each starts like an image; full: each is"
        " decoded, which takes hours for millions; default: files",
    )
    checks.add_argument(
        "--max-missing",
        type=_percent,
        default=1.0,
        metavar="PERCENT",
        help="of a dataset's images may be missing or damaged; more is an error; default: 1",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the index; an index that is there is replaced once the new one is complete",
    )
    output.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _add_datasets(parser: Parser) -> None:
    group = parser.add_argument_group("datasets (at least one)")
    for option, content in (
        ("--gsv-cities", "GSV-Cities: Dataframes/<City>.csv, Images/<City>/*.jpg"),
        ("--sf-xl", "SF-XL: processed/train/<latitude>/@*.jpg"),
        (
            "--pitts30k",
            "Pitts30k: datasets/pitts30k_train.mat and 000 to 006, or images/train with @ names",
        ),
        ("--msls", "MSLS: train_val/<city>/{database,query}/{raw.csv,images}; its 22 train cities"),
    ):
        group.add_argument(option, type=Path, metavar="DIR", help=content)
    group.add_argument(
        "--csv",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="tables of your own images with the columns path (relative to the table), latitude and"
        " longitude (or east and north in metres, with an optional zone such as 32U), heading in"
        " degrees, and optional city and date; NAME=FILE calls the dataset NAME instead of like the"
        " file",
    )
    group.add_argument(
        "--exif",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folders of images with GPS positions and directions in their EXIF data; or NAME=DIR",
    )
    group.add_argument(
        "--frames",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folders of frames of video without positions: files whose names differ in their last"
        " number alone are a clip, and some consecutive frames of it a place; what two clips show"
        " is taken for different places; or NAME=DIR",
    )


def _datasets(options: argparse.Namespace) -> list[Dataset]:
    """Return what the command line names, in an order that does not depend on its own."""
    published: list[tuple[Path | None, Callable[[Path], Source]]] = [
        (options.gsv_cities, GsvCities),
        (options.sf_xl, SfXl),
        (options.pitts30k, Pitts30k),
        (options.msls, Msls),
    ]
    sources = [reader(root) for root, reader in published if root is not None]
    tables = [OwnTable(path, name) for name, path in map(_named, options.csv)]
    photos = [OwnPhotos(path, name) for name, path in map(_named, options.exif)]
    frames = [Frames(path, name) for name, path in map(_named, options.frames)]
    _refuse_nested(frames)
    sources += sorted([*tables, *photos, *frames], key=lambda source: source.name)
    names = [source.name for source in sources]
    if not names:
        raise DatasetError(
            "no dataset is given: name at least one of --gsv-cities, --sf-xl, --pitts30k, --msls,"
            " --csv, --exif and --frames"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"two datasets are called {twice[0]}: call one NAME=PATH")
    divisions = _divisions(names, options.set, [source.name for source in frames])
    for own in tables:
        division = divisions[own.name]
        if isinstance(division, Division) and division.needs_heading and not own.has_headings:
            raise DatasetError(
                f"{own.name} has no column heading: add it, or tell places apart by position alone"
                f" with --set {own.name}.alpha=360 {own.name}.L=1"
            )
    return [Dataset(source, divisions[source.name]) for source in sources]


def _refuse_nested(folders: Sequence[Frames]) -> None:
    """Raise DatasetError for a folder of frames in another: a frame would be of two places."""
    roots = [(source.root.resolve(), source.root) for source in folders]
    for (outer, shown_outer), (inner, shown_inner) in permutations(roots, 2):
        if inner.is_relative_to(outer):
            raise DatasetError(
                f"--frames {shown_inner} lies in {shown_outer}: name only one of them, or its"
                " frames would be of two places each"
            )


def _divisions(
    names: Sequence[str], changes: Sequence[str], of_frames: Sequence[str] = ()
) -> dict[str, AnyDivision]:
    """Return the published divisions with the user's settings.

    names: of the datasets. of_frames: those of them that are clips; "frames" sets all of these.
    """
    divisions = {name: PUBLISHED.get(name, Division()) for name in names}
    divisions.update({name: Stretches() for name in of_frames})
    wanted: dict[str, dict[str, str]] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        dataset, dot, setting = key.rpartition(".")
        if not (equals and dot):
            raise ConfigError(f"--set {change}: write it as DATASET.KEY=VALUE")
        named = of_frames if dataset == _ALL_FRAMES and of_frames else [dataset]
        if not divisions.keys() >= set(named):
            raise ConfigError(
                f"--set {change}: there is no dataset {dataset!r} here; there is {', '.join(names)}"
            )
        for name in named:
            wanted.setdefault(name, {})[setting] = value
    for dataset, values in wanted.items():
        try:
            divisions[dataset] = with_settings(divisions[dataset], values)
        except ConfigError as error:
            raise ConfigError(f"--set {dataset}: {error}") from None
    return divisions


def _named(text: str) -> tuple[str, Path]:
    """Split NAME=PATH; a path alone is called like its last part."""
    name, equals, path = text.partition("=")
    if equals and name and "/" not in name and not Path(text).exists():
        return name, Path(path)
    return Path(text).absolute().stem, Path(text)


def _percent(text: str) -> float:
    try:
        share = float(text.removesuffix("%"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0 to 100")
    return share


def _defaults() -> dict[str, AnyDivision]:
    return {**PUBLISHED, "your own": Division(), _ALL_FRAMES: Stretches()}


def _shown(division: AnyDivision) -> str:
    if isinstance(division, OwnPlaces):
        return f"{'its own places':26}{division.min_images:12}"
    if isinstance(division, Stretches):
        return (
            f"{f'length={division.length}':>10}{division.N:4}{division.groups:12}"
            f"{division.min_images:12}"
        )
    return (
        f"{division.M:3g}{division.alpha:7g}{division.N:4}{division.L:4}{division.groups:8}"
        f"{division.min_images:12}"
    )


def _progress(what: str, total: int | None) -> Callable[[int], None]:
    """Show a bar on a terminal."""
    bar = tqdm(desc=what, total=total, unit=" images", unit_scale=True, disable=None)

    def done(images: int) -> None:
        bar.update(images)
        if not images:
            bar.close()

    return done


def _summary(reports: Sequence[DatasetReport], output: Path) -> dict[str, object]:
    datasets = {report.name: report.to_json() for report in reports}
    totals = [report.total() for report in reports]
    return {
        "index": str(output),
        "report": str(output / REPORT_JSON),
        "images": sum(total.images for total in totals),
        "places": sum(total.places for total in totals),
        "groups": sum(total.groups for total in totals),
        "datasets": datasets,
    }


if __name__ == "__main__":
    sys.exit(run(main))
