"""`selavpr map`: looking at maps, and making maps of maps."""

from __future__ import annotations

from typing import Any

from selavpr_ros.cli.map_tools import export, info, merge, view
from selavpr_ros.cli.options import Parser


def add_parser(commands: Any) -> None:
    """Add the commands to the parser of `selavpr`."""
    parser: Parser = commands.add_parser("map", help="look at maps, merge maps")
    tools = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (info, view, export, merge):
        module.add_parser(tools)
