"""`selavpr map view`: a map, and a drive through it, as an HTML page."""

from __future__ import annotations

import argparse
import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_ros.cli.map_tools.loading import loaded
from selavpr_ros.cli.options import (
    Parser,
    add_json_option,
    add_topic_options,
    not_negative,
    print_json,
    refuse_without_queries,
)
from selavpr_ros.cli.searching import add_search_options, describer_for, opened
from selavpr_ros.mapping.settings import MappingSettings

if TYPE_CHECKING:
    from selavpr_core.place_map import PlaceMap
    from selavpr_ros.map_view import Drive

# Options that only queries need.
_OF_MODEL = ("--weights", "--device", "--precision", "--batch-size")
_OF_SEARCH = ("--mode", "--candidates", "--query-distance")


def add_parser(tools: Any) -> None:
    """Add the command to the parser of `selavpr map`."""
    defaults = MappingSettings()
    parser: Parser = tools.add_parser(
        "view",
        help="an HTML page to look at a map",
        description="Write one HTML page that opens without a network: the places on a plot,"
        " sessions in colours, pictures under the pointer. With a query bag it shows the drive,"
        " what the map answers, how similar that is and how far off. An existing file is replaced.",
        examples=[
            ("selavpr map view campus --output campus.html", "the places"),
            (
                "selavpr map view campus --queries tuesday.mcap --output tuesday.html",
                "and how well a second drive finds them",
            ),
        ],
    )
    parser.add_argument("map", metavar="MAP", help="folder of a map")
    parser.add_argument("--output", required=True, metavar="PAGE.html", help="file to write")
    parser.add_argument("--queries", metavar="BAG", help="bag of a drive to look for in the map")
    parser.add_argument(
        "--query-distance",
        type=not_negative,
        default=defaults.keyframe_distance,
        metavar="METRES",
        help="ask for a frame after this much movement; 0 asks for every frame; default:"
        f" {defaults.keyframe_distance:g}",
    )
    add_json_option(parser)
    add_topic_options(parser)
    add_search_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page, and say what is in it."""
    from selavpr_ros.map_view import write_page
    from selavpr_ros.mapping.summary import counted, human_size
    from selavpr_ros.progress import progress_bar
    from selavpr_ros.whole_file import refuse_unwritable

    path, output = Path(options.map), Path(options.output)
    refuse_without_queries(options, _OF_MODEL, _OF_SEARCH)
    refuse_unwritable(output)  # told at once: a whole bag would be described in vain
    with ExitStack() as stack:
        drive = None
        if options.queries is None:
            place_map = loaded(path)
        else:
            place_map, drive = _asked(stack, path, options)
        total = len(place_map) + (0 if drive is None else len(drive.queries))
        with progress_bar("pictures", total, "places") as bar:
            write_page(output, place_map, drive, bar.update)
        figures = None if drive is None else _figures(place_map, drive)
    size = output.stat().st_size
    if options.json:
        print_json(
            {
                "output": str(output),
                "size_bytes": size,
                "places": len(place_map),
                "segments": len(place_map.segments),
                "drive": figures,
            }
        )
        return 0
    print(f"{output}: {counted(len(place_map), 'place')}, {human_size(size)}")
    if figures is not None and drive is not None:
        error = figures["median_error"]
        said = "" if math.isnan(error) else f", median error of the best match {error:.1f} m"
        print(f"{options.queries}: {figures['queries']} queries{said}\n{drive.note}")
    return 0


def _asked(stack: ExitStack, path: Path, options: argparse.Namespace) -> tuple[PlaceMap, Drive]:
    """Describe the bag and ask the map; the drive lives as long as the stack."""
    from selavpr_ros.errors import BagError
    from selavpr_ros.map_view import answered_drive
    from selavpr_ros.mapping.queries import query_drive
    from selavpr_ros.progress import progress_bar

    if not Path(options.queries).exists():  # told at once, not after the weights were loaded
        raise BagError(f"no such bag: {options.queries}; check the path")
    settings = MappingSettings(
        keyframe_distance=options.query_distance,
        image_topic=options.image_topic,
        fix_topic=options.fix_topic,
        pose_topic=options.pose_topic,
        imu_topic=options.imu_topic,
    )
    describer = describer_for(path, options)
    localizer = opened(path, describer, options)
    queries, summary = stack.enter_context(
        query_drive(options.queries, localizer.place_map.datum, describer, settings, progress=True)
    )
    with progress_bar("asking", len(queries), "queries") as bar:
        drive = answered_drive(localizer, queries, summary.bags[0].name, bar.update)
    return localizer.place_map, drive


def _figures(place_map: PlaceMap, drive: Drive) -> dict[str, Any]:
    import numpy as np

    errors = drive.errors(place_map)
    known = errors[np.isfinite(errors)]
    return {
        "name": drive.name,
        "queries": len(errors),
        "median_error": float(np.median(known)) if len(known) else math.nan,
        "note": drive.note,
    }
