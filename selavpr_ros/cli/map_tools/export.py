"""`selavpr map export`: places for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from selavpr_core.errors import MapError
from selavpr_ros.cli.map_tools.loading import loaded
from selavpr_ros.cli.options import Parser, add_json_option, print_json

_FORMATS = ("geojson", "kml", "tum")


def add_parser(tools: Any) -> None:
    """Add the command to the parser of `selavpr map`."""
    parser: Parser = tools.add_parser(
        "export",
        help="places for GIS, Google Earth, evo",
        description="Write where the places of a map are as GeoJSON, as KML (both need a map made"
        " with GPS) or as a TUM trajectory in the map's own frame. An existing file is replaced.",
        examples=[
            ("selavpr map export campus --output campus.geojson", "for QGIS and web maps"),
            ("selavpr map export campus --output campus.kml", "for Google Earth"),
            ("selavpr map export hall --format tum --output hall.txt", "for evo"),
        ],
    )
    parser.add_argument("map", metavar="MAP", help="folder of a map")
    parser.add_argument("--output", required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        help="default: by the file's name, .geojson or .json, .kml, .tum or .txt",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the file, and say what is in it."""
    import numpy as np

    from selavpr_ros.map_export import export_map, format_of
    from selavpr_ros.mapping.summary import counted, human_size
    from selavpr_ros.progress import progress_bar
    from selavpr_ros.whole_file import refuse_unwritable

    output = Path(options.output)
    kind = options.format or format_of(output)
    if kind is None:
        raise MapError(
            f"the name {output.name!r} says no format: add --format, one of {', '.join(_FORMATS)}"
        )
    refuse_unwritable(output)  # told at once: gigabytes take a while to verify
    place_map = loaded(options.map)
    with progress_bar("exporting", len(place_map), "places") as bar:
        export_map(place_map, output, kind, bar.update)
    size = output.stat().st_size
    unknown = int(np.isnan(place_map.headings).sum())
    if options.json:
        print_json(
            {
                "output": str(output),
                "format": kind,
                "places": len(place_map),
                "segments": len(place_map.segments),
                "without_heading": unknown,
                "size_bytes": size,
            }
        )
    else:
        said = f", {unknown} of them without a heading" if unknown else ""
        print(f"{output}: {counted(len(place_map), 'place')}{said}, {kind}, {human_size(size)}")
    return 0
