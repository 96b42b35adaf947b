"""`selavpr map merge`: one map of several."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_ros.cli.map_tools.info import report
from selavpr_ros.cli.map_tools.loading import told_if_complete
from selavpr_ros.cli.options import Parser, add_json_option

if TYPE_CHECKING:
    from selavpr_core.retrieval.aligning import AlignedMap


def add_parser(tools: Any) -> None:
    """Add the command to the parser of `selavpr map`."""
    parser: Parser = tools.add_parser(
        "merge",
        help="make one map of several",
        description="Make one map of several that were made with the same weights. Positions are"
        " expressed in the datum of the first. A map without a datum has a frame of its own: with"
        " --align, its places are looked for in the maps before it, and the frame is laid where"
        " the matches agree.",
        examples=[
            ("selavpr map merge north south --output campus", "two halves of a campus"),
            (
                "selavpr map merge campus indoor --align --output all",
                "a map without GPS that saw some of the same places",
            ),
        ],
    )
    parser.add_argument("maps", nargs="+", metavar="MAP", help="folder of a map")
    parser.add_argument("--output", required=True, metavar="MAP", help="folder of the new map")
    parser.add_argument(
        "--align",
        action="store_true",
        help="align maps that have no datum, by places that look alike; without it they are"
        " refused",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merge maps and print what the result holds."""
    from selavpr_core.place_map import merge_maps, read_manifest
    from selavpr_core.place_map.new_map import can_be_filled
    from selavpr_core.retrieval.aligning import align_maps
    from selavpr_ros.progress import progress_bar

    output = Path(options.output)
    paths = [Path(source) for source in options.maps]
    total = sum(read_manifest(path).count for path in paths)
    can_be_filled(output)  # or told at once: aligning takes a while
    aligned: list[AlignedMap] = []
    if options.align:
        with progress_bar("aligning", None, "places") as bar:
            aligned = align_maps(paths, bar.update)
    transforms = [one.transform for one in aligned] or None
    with told_if_complete(output):
        with progress_bar("merging", total, "places") as bar:
            merge_maps(paths, output, transforms, bar.update)
        report(output, options.json, {"aligned": [_json(one) for one in aligned if one.alignment]})
        if not options.json:
            for one in aligned:
                if one.alignment is not None:
                    print(_line(one))
    return 0


def _json(one: AlignedMap) -> dict[str, Any]:
    assert one.alignment is not None
    assert one.transform is not None
    return {
        "map": str(one.path),
        "to": str(one.to),
        "transform": one.transform._asdict(),
        "matches": len(one.alignment.agreeing),
        "agreeing": int(one.alignment.agreeing.sum()),
        "rms": one.alignment.rms,
        "yaw_sigma": one.alignment.yaw_sigma,
        "rival": one.alignment.rival,
    }


def _line(one: AlignedMap) -> str:
    assert one.alignment is not None
    assert one.transform is not None
    found = one.alignment
    return (
        f"aligned  {one.path} with {one.to}: {found.agreeing.sum()} of {len(found.agreeing)}"
        f" matched places agree to {found.rms:.1f} m rms; moved by {one.transform.x:.1f},"
        f" {one.transform.y:.1f}, {one.transform.z:.1f} m and turned by"
        f" {math.degrees(one.transform.yaw):.2f} degrees (sigma"
        f" {math.degrees(found.yaw_sigma):.2f})"
    )
