"""`selavpr calibrate`: the thresholds of a map for a wanted precision."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_core.errors import MapError, SelaVPRError, StorageError
from selavpr_ros.cli.calibrate.refusals import LEAST_WANTED, not_reached, nothing_asked
from selavpr_ros.cli.calibrate.report import (
    own_segments,
    picture_title,
    query_counts,
    summary_lines,
)
from selavpr_ros.cli.options import (
    Parser,
    add_json_option,
    add_topic_options,
    positive,
    print_json,
    refuse_without_queries,
    surroundings,
)
from selavpr_ros.cli.searching import add_search_options, describer_for

if TYPE_CHECKING:
    from selavpr_core.calibration import Asked, Choice
    from selavpr_core.place_map import Calibration, MapWriter, PlaceMap

PICTURE = "calibration.svg"
REFUSED = "calibration-refused.svg"  # beside the picture of what the map has, which stays
_OF_MODEL = ("--weights", "--device", "--model-precision", "--batch-size")  # only queries need it

_logger = logging.getLogger(__name__)


def add_parser(commands: Any) -> None:
    """Add the command to the parser of `selavpr`."""
    parser: Parser = commands.add_parser(
        "calibrate",
        help="find a map's thresholds for a wanted precision",
        description="Find the least similarity and margin at which a map's answers are right as"
        " often as wanted, and store them in the map, where the nodes find them. The map is asked"
        " for its own places, or for those of a second drive. Each query is asked again with its"
        " surroundings hidden, as if it came from a place that is not in the map. Where the"
        " precision cannot be shown, nothing is stored and the exit code is 2.",
        examples=[
            ("selavpr calibrate campus", "from the map's own places"),
            ("selavpr calibrate campus --queries tuesday.mcap", "from a second drive: surer"),
            ("selavpr calibrate hall --radius 3", "indoors, where 25 m are another room"),
        ],
    )
    parser.add_argument("map", metavar="MAP", help="folder of a map; the result is stored in it")
    parser.add_argument(
        "--queries", metavar="BAG", help="a second drive; default: the map's own places"
    )
    parser.add_argument(
        "--precision",
        dest="wanted",
        type=_share,
        default=0.99,
        metavar="SHARE",
        help=f"share of the answers that shall be right, {LEAST_WANTED:g} to 1; default: 0.99",
    )
    parser.add_argument(
        "--radius",
        type=surroundings,
        default=25.0,
        metavar="METRES",
        help="from the true position within which an answer is right; default: 25",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE.svg",
        help=f"file for the precision-recall curve; default: {PICTURE} in the map's folder, or"
        f" {REFUSED} where nothing is stored",
    )
    parser.add_argument(
        "--closest",
        action="store_true",
        help="store the thresholds that come closest where the precision cannot be shown, but a"
        " lower one can",
    )
    add_json_option(parser)
    add_search_options(parser, precision="--model-precision")
    add_topic_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Find the thresholds, draw the curve, store and print them; fail where they do not do."""
    from selavpr_core.place_map import MapWriter, PlaceMap
    from selavpr_core.retrieval import best_mode

    path = Path(options.map)
    refuse_without_queries(options, _OF_MODEL)
    if options.picture is not None and options.picture.suffix.lower() != ".svg":
        inside = os.path.isdir(options.picture)
        like = options.picture / PICTURE if inside else options.picture.with_suffix(".svg")
        raise SelaVPRError(f"the picture is an SVG: give a file like {like}")
    place_map = PlaceMap.load(path)
    if not len(place_map):
        raise MapError(f"{path} has no places: add a bag with `selavpr build-map`")
    options.mode = options.mode or best_mode(place_map.model)
    # What is in the way of storing is told now: a whole bag would be described in vain.
    _check_writable(path, options.picture)
    with MapWriter(path, place_map.model, place_map.datum) as writer:
        _calibrate(place_map, writer, options)
    return 0


def _calibrate(place_map: PlaceMap, writer: MapWriter, options: argparse.Namespace) -> None:
    from selavpr_core.calibration import choose_thresholds
    from selavpr_core.calibration.picture import draw

    path = Path(options.map)
    if options.queries is None:
        asked, source = _ask_own_places(place_map, options)
    else:
        asked, source = _ask_bag(place_map, options)
    if not asked.answers.inside.any():
        raise SelaVPRError(nothing_asked(place_map, asked, options))
    if asked.own:
        _logger.warning(
            "%s is in %s already, as %s: it was asked for among the other segments; the bag of a"
            " drive that is not in the map is surer",
            options.queries,
            path,
            own_segments(asked),
        )
    choice = choose_thresholds(asked.answers, options.wanted)
    calibration = _calibration(place_map, asked, choice, source, options)
    stored = choice.reached or (options.closest and choice.bound > 0)
    title = picture_title(path, choice, options.wanted)
    subtitle = f"{'' if stored else 'not stored; '}{source}; {query_counts(asked)}"
    svg = draw(asked.answers, choice, options.wanted, title, subtitle)
    picture: Path = options.picture or path / (PICTURE if stored else REFUSED)
    if not stored:
        try:
            _write(picture, svg)
            curve = f"the curve is in {picture}"
        except SelaVPRError as error:  # what was found out is told all the same
            curve = str(error)
        raise SelaVPRError(
            f"{not_reached(place_map, asked, choice, calibration, options)}, {curve}"
        )
    _write(picture, svg)
    writer.set_calibration(calibration)
    for old in (path / PICTURE, path / REFUSED):  # of thresholds that are not those of the map
        if old.is_file() and not old.samefile(picture):
            old.unlink()
    if options.json:
        print_json(
            {
                "map": str(path),
                "kind": asked.kind,
                "left_out": asked.left_out,
                "own_segments": asked.own,
                "answered": choice.answered,
                "reached": choice.reached,
                "picture": str(picture),
                "calibration": dict(vars(calibration)),
            }
        )
    else:
        print("\n".join(summary_lines(path, asked, choice, calibration, picture)))


def _check_writable(path: Path, picture: Path | None) -> None:
    """Refuse a map and a picture that cannot be written.

    Raises:
        MapError, StorageError: as they would be once there is something to write.
    """
    if not os.access(path, os.W_OK | os.X_OK):  # its lock may be there already, and be taken
        raise MapError(f"the map {path} cannot be written: its folder is read-only")
    if picture is not None:
        from selavpr_ros.whole_file import refuse_unwritable

        with _picture_named():
            refuse_unwritable(picture)


def _ask_own_places(place_map: PlaceMap, options: argparse.Namespace) -> tuple[Asked, str]:
    from selavpr_core.calibration import ask_own_places

    with _query_bar() as progress:
        asked = ask_own_places(
            place_map, options.mode, options.candidates, options.radius, progress
        )
    how = {
        "sessions": "each drive is asked for among the others",
        "revisits": "where a drive passes twice",
        "neighbours": "neighbours on the same drive stand in for a second one",
    }
    return asked, f"the map's own places: {how[asked.kind]}"


def _ask_bag(place_map: PlaceMap, options: argparse.Namespace) -> tuple[Asked, str]:
    from selavpr_core.calibration import ask_drive, stamps_to_compare
    from selavpr_core.place_map import ModelInfo
    from selavpr_core.place_map.manifest import check_same_model
    from selavpr_ros.errors import BagError
    from selavpr_ros.mapping.queries import frames_at, query_drive
    from selavpr_ros.mapping.settings import MappingSettings

    path, bag = place_map.path, Path(options.queries)
    if not bag.exists():  # told at once, not after the weights were loaded
        raise BagError(f"no such bag: {bag}; check the path")
    settings = MappingSettings(
        image_topic=options.image_topic,
        fix_topic=options.fix_topic,
        pose_topic=options.pose_topic,
        imu_topic=options.imu_topic,
        thumbnails=False,
    )
    describer = describer_for(path, options)
    check_same_model(path, place_map.model, ModelInfo.from_describer(describer))
    with query_drive(bag, place_map.datum, describer, settings, progress=True) as (drive, _):
        if place_map.datum is not None and drive.datum is None:
            raise BagError(
                f"{bag} has no GPS fixes, and {path} has its positions from them: nothing says"
                " where the frames belong in the map"
            )
        if place_map.datum is None:
            _logger.warning("the poses of %s are taken to be in the frame of %s", bag, path)
        with ExitStack() as stack:
            compared = None
            if len(stamps := stamps_to_compare(place_map, drive)):
                more = frames_at(bag, stamps, drive, describer, options.image_topic, progress=True)
                compared = stack.enter_context(more)
            asked = ask_drive(
                place_map,
                drive,
                options.mode,
                options.candidates,
                options.radius,
                stack.enter_context(_query_bar()),
                compared,
            )
    without = f", without {own_segments(asked)}" if asked.own else ""
    return asked, f"the drive {bag}{without}"


@contextmanager
def _query_bar() -> Iterator[Callable[[int, int], None]]:
    from selavpr_ros.progress import progress_bar

    with progress_bar("asking the map", None, "queries") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _calibration(
    place_map: PlaceMap, asked: Asked, choice: Choice, source: str, options: argparse.Namespace
) -> Calibration:
    from selavpr_core.place_map import Calibration

    inside = int(asked.answers.inside.sum())
    return Calibration(
        similarity=choice.similarity,
        margin=choice.margin,
        wanted_precision=options.wanted,
        precision=choice.precision,
        precision_bound=choice.bound,
        recall=choice.recall,
        queries=inside,
        outside=len(asked.answers) - inside,
        radius=options.radius,
        mode=options.mode,
        candidates=options.candidates,
        places=len(place_map),
        source=source,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _write(picture: Path, svg: str) -> None:
    from selavpr_ros.whole_file import whole_file

    with _picture_named(), whole_file(picture) as file:
        file.write(svg)


@contextmanager
def _picture_named() -> Iterator[None]:
    """Say of a file that cannot be written that it is the picture."""
    try:
        yield
    except StorageError as error:
        raise StorageError(f"the picture {error}") from None


def _share(text: str) -> float:
    share = positive(text)
    if share > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 0.99 for 99 %")
    if share < LEAST_WANTED:
        raise argparse.ArgumentTypeError(
            f"{text!r} lets answers be wrong more often than right: give {LEAST_WANTED:g} to 1"
        )
    return share
