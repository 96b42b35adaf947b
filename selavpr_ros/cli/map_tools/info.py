"""`selavpr map info`: what a map holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from selavpr_ros.cli.map_tools.loading import verifying_bar
from selavpr_ros.cli.options import Parser, add_json_option, print_json


def add_parser(tools: Any) -> None:
    """Add the command to the parser of `selavpr map`."""
    parser: Parser = tools.add_parser(
        "info",
        help="what a map holds",
        description="Verify a map and print what it holds: places, segments and their sources,"
        " datum, weights, camera, size.",
        examples=[("selavpr map info campus --json", "for a script")],
    )
    parser.add_argument("map", metavar="MAP", help="folder of a map")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what a map holds."""
    report(Path(options.map), options.json)
    return 0


def report(path: Path, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """Print what the map in a folder holds; `more` goes into the JSON with it.

    Raises:
        MapError: as PlaceMap.load.
    """
    from selavpr_core.place_map import map_info

    with verifying_bar(path) as bar:
        info = map_info(path, bar.update)
    if as_json:
        print_json(info | (more or {}))
    else:
        print("\n".join(_lines(info)))


def _lines(info: dict[str, Any]) -> list[str]:
    from selavpr_core.geodesy import Datum
    from selavpr_ros.mapping.summary import aligned, counted, human_size, place_of

    rows = [["segment", "places", "track", "from (UTC)", "to (UTC)", "size", "thumbnails"]]
    for segment in info["segments"]:
        begin, end = (segment[side][:19].replace("T", " ") for side in ("start", "end"))
        rows.append(
            [
                segment["name"],
                str(segment["places"]),
                f"{segment['length']:.0f} m",
                begin,
                end,
                human_size(segment["bytes"]),
                segment["thumbnails"],
            ]
        )
    model, datum = info["model"], info["datum"]
    kept = [("code", model["code_bytes"], "bytes"), ("descriptor", model["descriptor_dim"], "d")]
    branches = " + ".join(f"{size} {unit} {name}" for name, size, unit in kept if size is not None)
    lines = [
        f"map      {info['path']}: {counted(info['places'], 'place')} in"
        f" {counted(len(info['segments']), 'segment')},"
        f" {info['length']:.0f} m of track, {human_size(info['bytes'])},"
        f" format {info['version']}, verified",
        f"weights  {model['source']} (preset {model['preset']}"
        f"{'' if model['pretrained'] else ', UNTRAINED'}), fingerprint {model['fingerprint']}",
        f"a place  {branches}",
        f"datum    {'none' if datum is None else place_of(Datum.from_json(datum))}",
    ]
    lines.append(f"limits   {_limits(info)}")
    if info["extent"] is not None:
        (west, south, _), (east, north, _) = info["extent"]["min"], info["extent"]["max"]
        lines.append(f"extent   x {west:.1f} to {east:.1f} m, y {south:.1f} to {north:.1f} m")
    if info["segments"]:
        lines += ["", *aligned(rows)]
        lines += [f"{segment['name']}: {_origin(segment)}" for segment in info["segments"]]
    return lines


def _origin(segment: dict[str, Any]) -> str:
    """Return where a segment came from, and by which camera, in words."""
    from selavpr_core.camera import CameraModel
    from selavpr_ros.mapping.summary import camera_in_words

    origin = f"from {segment['source']}"
    if segment["camera"] is None:
        return origin
    return f"{origin}; {camera_in_words(CameraModel(**segment['camera']))}"


def _limits(info: dict[str, Any]) -> str:
    """Return the thresholds of a map in words."""
    from selavpr_ros.mapping.summary import counted

    found = info["calibration"]
    if found is None:
        return "none: `selavpr calibrate` finds the thresholds of answers to be believed"
    grown = f", when the map had {found['places']}" if found["places"] != info["places"] else ""
    missed = (
        ""
        if found["reached"]
        else f"; NOT REACHED: a precision of {100 * found['wanted_precision']:g} %, with 95 %"
        f" confidence it is at least {100 * found['precision_bound']:.1f} %"
    )
    search = f"mode {found['mode']}, {counted(found['candidates'], 'candidate')}"
    return (
        f"similarity {found['similarity']:.4f}, margin {found['margin']:g} ({search}): precision"
        f" {100 * found['precision']:.1f} %, recall {100 * found['recall']:.1f} % of"
        f" {found['queries']} queries{grown}{missed}"
    )
