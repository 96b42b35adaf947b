"""`selavpr build-map`: a place map from recorded bags."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_core.errors import GeodesyError
from selavpr_ros.cli.options import (
    Parser,
    add_json_option,
    add_model_options,
    add_topic_options,
    not_negative,
    positive,
    print_json,
)
from selavpr_ros.cli.stopping import told_when_stopped
from selavpr_ros.errors import BagError
from selavpr_ros.mapping.settings import MappingSettings

if TYPE_CHECKING:
    from selavpr_core.geodesy import Datum

DEFAULT_WEIGHTS = "base"


def add_parser(commands: Any) -> None:
    """Add the command to the parser of `selavpr`."""
    defaults = MappingSettings()
    parser: Parser = commands.add_parser(
        "build-map",
        help="make a place map from bags, or add bags to one",
        description="Make a place map from bags (rosbag2 sqlite3 or mcap, ROS 1), or add bags to"
        " one. Each bag becomes a segment. Frames get the position interpolated at their stamp;"
        " those without a sure one are dropped and counted. A bag that cannot be used is named in"
        " the summary, with --json in its 'error'; the exit code is 0 if any bag gave a place.",
        examples=[
            ("selavpr build-map drive.mcap --output campus", "topics found by type, GPS positions"),
            (
                "selavpr build-map mon.bag tue/ --output campus --image-topic /front/image_raw",
                "several bags with several cameras",
            ),
            (
                "selavpr build-map indoor/ --output hall --position-from pose --pose-topic /odom",
                "a map without GPS, in the frame of its odometry",
            ),
        ],
    )
    parser.add_argument(
        "bags", nargs="+", metavar="BAG", help="rosbag2 folder or file, or ROS 1 bag"
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="MAP",
        help="folder of the map; an existing map is kept and gets the new bags added",
    )
    add_json_option(parser)
    add_model_options(parser, f"{DEFAULT_WEIGHTS}, or those of the map that is added to")

    topics = add_topic_options(parser)
    topics.add_argument(
        "--position-from",
        choices=("auto", "fix", "pose"),
        default=defaults.position_from,
        help="auto: fixes where the bag has them, else poses",
    )
    topics.add_argument(
        "--heading-from",
        choices=("auto", "pose", "imu", "track"),
        default=defaults.heading_from,
        help="with GPS; auto: odometry, else poses, else an IMU; track: direction of travel alone",
    )
    topics.add_argument(
        "--camera-info-topic",
        metavar="TOPIC",
        help="CameraInfo of the images, for loop closures into the map; default: camera_info"
        " beside them, as /front/camera_info is beside /front/image_raw",
    )
    topics.add_argument(
        "--rectified",
        action="store_true",
        help="the images are rectified: of CameraInfo the matrix P holds, not K and D; default:"
        " where they are called image_rect...",
    )

    gates = parser.add_argument_group("gates", "frames that do not pass are dropped and counted")
    gates.add_argument(
        "--max-gap",
        type=positive,
        default=defaults.max_gap,
        metavar="SECONDS",
        help=f"longest time between the fixes around a frame; default: {defaults.max_gap:g}",
    )
    gates.add_argument(
        "--max-sigma",
        type=positive,
        default=defaults.max_sigma,
        metavar="METRES",
        help="largest standard deviation of a position that is used; default:"
        f" {defaults.max_sigma:g}",
    )
    gates.add_argument(
        "--assumed-sigma",
        type=positive,
        metavar="METRES",
        help="standard deviation of positions that state none; default: 5 for fixes, 0.5 for poses",
    )
    gates.add_argument(
        "--max-heading-sigma",
        type=positive,
        default=math.degrees(defaults.max_heading_sigma),
        metavar="DEGREES",
        help="headings less certain than this are stored as unknown; default:"
        f" {math.degrees(defaults.max_heading_sigma):g}",
    )

    places = parser.add_argument_group("places")
    places.add_argument(
        "--keyframe-distance",
        type=not_negative,
        default=defaults.keyframe_distance,
        metavar="METRES",
        help="keep a frame after this much movement; 0 keeps every frame; default:"
        f" {defaults.keyframe_distance:g}",
    )
    places.add_argument(
        "--keyframe-heading",
        type=not_negative,
        default=math.degrees(defaults.keyframe_heading),
        metavar="DEGREES",
        help="keep a frame after this much turning; default:"
        f" {math.degrees(defaults.keyframe_heading):g}",
    )
    places.add_argument(
        "--datum",
        type=_datum,
        metavar="LAT,LON[,ALT]",
        help="origin of the map frame, degrees and metres; default: the first good fix",
    )
    places.add_argument(
        "--no-thumbnails",
        dest="thumbnails",
        action="store_false",
        help="store no pictures of the places",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build the map and print the summary."""
    from selavpr_core.describer import load_describer
    from selavpr_ros.mapping.builder import build_map, existing_map

    # A mistyped path is told at once, not after the weights were fetched.
    if not any(Path(bag).exists() for bag in options.bags):
        raise BagError(f"no such bag: {', '.join(options.bags)}; check the path")
    output = Path(options.output)
    settings = MappingSettings(
        keyframe_distance=options.keyframe_distance,
        keyframe_heading=math.radians(options.keyframe_heading),
        max_gap=options.max_gap,
        max_sigma=options.max_sigma,
        assumed_sigma=options.assumed_sigma,
        max_heading_sigma=math.radians(options.max_heading_sigma),
        position_from=options.position_from,
        heading_from=options.heading_from,
        image_topic=options.image_topic,
        fix_topic=options.fix_topic,
        pose_topic=options.pose_topic,
        imu_topic=options.imu_topic,
        camera_info_topic=options.camera_info_topic,
        rectified=options.rectified,
        datum=options.datum,
        thumbnails=options.thumbnails,
    )
    existing = existing_map(output, settings)
    weights = options.weights or (DEFAULT_WEIGHTS if existing is None else existing.model.source)

    def finished() -> str:
        kept = existing_map(output, settings)
        added = (kept.count if kept else 0) - (existing.count if existing else 0)
        if not added:
            return "no bag was finished"
        return f"{added} places of the bags that were finished are in {output}"

    with told_when_stopped(finished):
        describer = load_describer(weights, options.device, options.precision, options.batch_size)
        summary = build_map(options.bags, output, describer, settings, progress=True)
    if options.json:
        print_json(summary.to_json())
    else:
        print(summary.table())
    return 0


def _datum(text: str) -> Datum:
    from selavpr_core.geodesy import Datum

    try:
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) not in (2, 3):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not LAT,LON or LAT,LON,ALT, for example 55.7058,13.1932,60"
        ) from None
    try:
        return Datum.at(*numbers)
    except GeodesyError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
