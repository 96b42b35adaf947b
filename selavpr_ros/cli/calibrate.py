"""`selavpr calibrate`: the thresholds of a map for a wanted precision."""

from __future__ import annotations

import argparse
import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_core.errors import MapError, SelaVPRError, StorageError
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
_LEAST_PLACES = 3  # of fewer, one is half of the map, whatever the radius
_OF_MODEL = ("--weights", "--device", "--model-precision", "--batch-size")  # only queries need it
LEAST_WANTED = 0.5  # precision: who is wrong more often than right needs no threshold, but a map

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
        raise SelaVPRError(_nothing_asked(place_map, asked, options))
    if asked.own:
        _logger.warning(
            "%s is in %s already, as %s: it was asked for among the other segments; the bag of a"
            " drive that is not in the map is surer",
            options.queries,
            path,
            _segments(asked),
        )
    choice = choose_thresholds(asked.answers, options.wanted)
    calibration = _calibration(place_map, asked, choice, source, options)
    stored = choice.reached or (options.closest and choice.bound > 0)
    title = _title(path, choice, options.wanted)
    subtitle = f"{'' if stored else 'not stored; '}{source}; {_counts(asked)}"
    svg = draw(asked.answers, choice, options.wanted, title, subtitle)
    picture: Path = options.picture or path / (PICTURE if stored else REFUSED)
    if not stored:
        try:
            _write(picture, svg)
            curve = f"the curve is in {picture}"
        except SelaVPRError as error:  # what was found out is told all the same
            curve = str(error)
        raise SelaVPRError(
            f"{_not_reached(place_map, asked, choice, calibration, options)}, {curve}"
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
        print("\n".join(_lines(path, asked, choice, calibration, picture)))


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
    without = f", without {_segments(asked)}" if asked.own else ""
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


def _nothing_asked(place_map: PlaceMap, asked: Asked, options: argparse.Namespace) -> str:
    """Say why the map could not be asked anything, and what to do."""
    from selavpr_ros.mapping.summary import counted

    if asked.own:
        return (
            f"{options.queries} is in {place_map.path} already, as {_segments(asked)}: a drive must"
            " not find itself, and no other segment shows what it sees; give the bag of another"
            " drive, or leave --queries out to ask for the map's own places"
        )
    path, places = place_map.path, len(place_map)
    own_places = options.queries is None
    asked_for = "a place" if own_places else f"a frame of {options.queries}"
    said = f"{path} cannot be asked for {asked_for}"
    if places < _LEAST_PLACES:
        return f"{said}: it has only {counted(places, 'place')}; add drives to the map"
    if 2 * asked.crowded > asked.left_out:
        return (
            f"{said}: half of its {places} places lie within {4 * options.radius:g} m, so that too"
            " few are left to stand for being elsewhere; add drives to the map, or give a smaller"
            " --radius"
        )
    what = "shows no place again" if own_places else "has no place"
    advice = "add drives to the map" if own_places else "give a drive along the places of the map"
    return (
        f"{said}: it {what} within {options.radius:g} m, looking the same way; {advice}, or give a"
        " larger --radius"
    )


def _not_reached(
    place_map: PlaceMap,
    asked: Asked,
    choice: Choice,
    calibration: Calibration,
    options: argparse.Namespace,
) -> str:
    """Say why the thresholds are not stored, how much is missing, and what to do."""
    from selavpr_core.calibration import answers_needed, choose_thresholds, times_the_queries
    from selavpr_core.place_map.calibration import least_bound
    from selavpr_ros.mapping.summary import counted

    wanted, answers = calibration.wanted_precision, asked.answers
    drive = "a longer drive" if asked.kind == "drive" else "a second drive"
    times = times_the_queries(answers, wanted)
    if times is not None:
        why = (
            f"{_asked_for(asked, options)}, and again as if it did not show them:"
            f" {len(answers)} queries are too few to show it"
        )
        advice = (
            f"give {drive} with --queries: about {math.ceil(times * len(answers))} queries,"
            " half of them from inside, would do if they are answered as well"
        )
    elif choice.bound > 0:
        why = "no similarity and margin tell right from wrong that well"
        advice = "add drives to the map"
    else:
        right = int(answers.right.sum())
        why = (
            f"{_asked_for(asked, options)}; {counted(right, 'answer')}"
            f" {'is' if right == 1 else 'are'} right, and at least"
            f" {answers_needed(wanted)} right ones are needed"
        )
        advice = f"give {drive} with --queries, or add drives to the map"
    if choice.bound > 0:
        shown = (
            f"at best {_percent(choice.precision)} of {counted(choice.answered, 'answer')} are"
            f" right, with 95 % confidence at least {_percent(choice.bound)}, and"
            f" {_percent(least_bound(wanted))} are needed"
        )
        closest = ", or store what comes closest with --closest"
    else:  # all thresholds are equally far from what is wanted
        shown = "with 95 % confidence no precision at all is shown, so that nothing comes closest"
        closest = ""
    lower = math.floor(100 * choice.shown) / 100
    if lower >= LEAST_WANTED:
        recall = _percent(choose_thresholds(answers, lower).recall)
        advice += f", or write --precision {lower:g}, which is reached with recall {recall}"
    return (
        f"{place_map.path}: a precision of {100 * wanted:g} % is not reached: {why}: {shown};"
        f" {advice}{closest}; nothing was stored"
    )


def _asked_for(asked: Asked, options: argparse.Namespace) -> str:
    """Say how many places or frames the map was asked for, and why it was not for the others."""
    from selavpr_ros.mapping.summary import counted

    number = len(asked.answers) - int(asked.answers.inside.sum())  # those inside are asked twice
    total = number + asked.left_out
    if options.queries is None:
        of = f"its {counted(total, 'place')}"
    else:
        of = f"{counted(total, 'frame')} of {options.queries}"
    unseen, radius = asked.left_out - asked.crowded, options.radius
    reasons = []
    if unseen:
        reasons.append(f"{unseen} with no place within {radius:g} m that looks the same way")
    if asked.crowded:
        reasons.append(f"{asked.crowded} with half of the map within {4 * radius:g} m")
    if not reasons:
        return f"the map was asked for {of}"
    return f"of {of} the map was asked for {number}, and not for {', '.join(reasons)}"


def _lines(
    path: Path, asked: Asked, choice: Choice, calibration: Calibration, picture: Path
) -> list[str]:
    from selavpr_ros.mapping.summary import counted

    lines = [
        f"map        {path}: {counted(calibration.places, 'place')}, mode {calibration.mode},"
        f" {counted(calibration.candidates, 'candidate')}",
        f"queries    {_counts(asked)}",
        f"from       {calibration.source}",
        f"threshold  similarity {calibration.similarity:.4f}, margin {calibration.margin:g}",
        f"precision  {_percent(choice.precision)} of {counted(choice.answered, 'answer')} within"
        f" {calibration.radius:g} m; with 95 % confidence at least {_percent(choice.bound)}",
        f"recall     {_percent(choice.recall)} of the queries from inside",
        f"stored     in {path}; the curve in {picture}",
    ]
    if not choice.reached:
        wanted = f"{100 * calibration.wanted_precision:g} %"
        lines.append(f"NOT REACHED: a precision of {wanted}; this is what comes closest")
    return lines


def _title(path: Path, choice: Choice, wanted: float) -> str:
    """Say in the picture what was found; where the precision is not reached, that above all."""
    name, recall = path.resolve().name, f"recall {_percent(choice.recall)}"
    if not choice.reached:  # in the legend there are the similarity and the margin
        return (
            f"{name}: {100 * wanted:g} % NOT REACHED: precision {_percent(choice.precision)}, at"
            f" least {_percent(choice.bound)}; {recall}"
        )
    return (
        f"{name}: similarity {choice.similarity:.3f}, margin {choice.margin:g} give precision"
        f" {_percent(choice.precision)}, {recall}"
    )


def _counts(asked: Asked) -> str:
    inside = int(asked.answers.inside.sum())
    said = f"{inside} from inside of the map, {len(asked.answers) - inside} from outside"
    return f"{said}, {asked.left_out} left out" if asked.left_out else said


def _segments(asked: Asked) -> str:
    """Name the segments that are of the drive itself."""
    return f"segment{'s' if len(asked.own) > 1 else ''} {', '.join(asked.own)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


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
