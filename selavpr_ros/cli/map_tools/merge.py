"""`selavpr map merge`: one map of several."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from selavpr_ros.cli.map_tools.info import report
from selavpr_ros.cli.options import Parser, add_json_option


def add_parser(tools: Any) -> None:
    """Add the command to the parser of `selavpr map`."""
    parser: Parser = tools.add_parser(
        "merge",
        help="make one map of several",
        description="Make one map of several that were made with the same weights. Positions are"
        " expressed in the datum of the first.",
        examples=[("selavpr map merge north south --output campus", "two halves of a campus")],
    )
    parser.add_argument("maps", nargs="+", metavar="MAP", help="folder of a map")
    parser.add_argument("--output", required=True, metavar="MAP", help="folder of the new map")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merge maps and print what the result holds."""
    from selavpr_core.place_map import merge_maps

    output = Path(options.output)
    merge_maps([Path(source) for source in options.maps], output)
    report(output, options.json)
    return 0
