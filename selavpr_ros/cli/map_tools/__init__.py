"""`selavpr map`: looking at maps, and making maps of maps."""

from __future__ import annotations

from typing import Any

from selavpr_ros.cli.map_tools import export, info, merge, prune, view
from selavpr_ros.cli.options import Parser


def add_parser(commands: Any) -> None:
    """Add the commands to the parser of `selavpr`."""
    parser: Parser = commands.add_parser("map", help="look at maps, export, prune and merge them")
    tools = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (info, view, export, prune, merge):
        module.add_parser(tools)
