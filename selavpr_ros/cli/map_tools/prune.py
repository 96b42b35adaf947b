"""`selavpr map prune`: a map without redundant places."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_core.errors import MapError
from selavpr_ros.cli.map_tools.loading import loaded, told_if_complete
from selavpr_ros.cli.options import Parser, add_json_option, between, print_json, surroundings

if TYPE_CHECKING:
    from selavpr_core.place_map import PlaceMap
    from selavpr_core.place_map.pruning import Pruned

_DISTANCE, _HEADING, _SIMILARITY = 5.0, 30.0, 0.7


def add_parser(tools: Any) -> None:
    """Add the command to the parser of `selavpr map`."""
    parser: Parser = tools.add_parser(
        "prune",
        help="a map without redundant places",
        description="Write a new map without places that another one can stand for: one that is"
        " near, faces the same way and looks alike. Then look for every place left out in the new"
        " map, and say how many are found where they were. The old map stays as it is.",
        examples=[
            ("selavpr map prune campus --output small", "drives of the same road thinned out"),
            (
                "selavpr map prune campus --output small --distance 10 --similarity 0.6",
                "a smaller map, with a place every ten metres or so",
            ),
        ],
    )
    parser.add_argument("map", metavar="MAP", help="folder of a map")
    parser.add_argument("--output", required=True, metavar="MAP", help="folder of the new map")
    parser.add_argument(
        "--distance",
        type=surroundings,
        default=_DISTANCE,
        metavar="METRES",
        help=f"how far the place that stays may be; default: {_DISTANCE:g}",
    )
    parser.add_argument(
        "--heading",
        type=between(0, 180),
        default=_HEADING,
        metavar="DEGREES",
        help=f"how differently it may face, where headings are known; default: {_HEADING:g}",
    )
    parser.add_argument(
        "--similarity",
        type=between(-1, 1),
        default=_SIMILARITY,
        metavar="COSINE",
        help=f"how alike they must look at least; default: {_SIMILARITY:g}",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prune, ask the new map for what was left out, and print what became of it."""
    import numpy as np

    from selavpr_core.place_map import read_manifest
    from selavpr_core.place_map.new_map import can_be_filled
    from selavpr_core.place_map.pruning import PruningSettings, prune_map
    from selavpr_ros.progress import progress_bar

    source, output = Path(options.map), Path(options.output)
    settings = PruningSettings(options.distance, math.radians(options.heading), options.similarity)
    total = read_manifest(source).count
    if not total:
        raise MapError(f"{source} has no places to prune")
    can_be_filled(output)  # or told at once; what is there when this is stopped is ours then
    with told_if_complete(output):
        with progress_bar("comparing", total, "places") as bar:
            pruned = prune_map(source, output, settings, bar.update)
        before, after = loaded(source), loaded(output)
        dropped = np.setdiff1d(np.arange(len(before)), pruned.kept)
        with progress_bar("asking", len(dropped), "places") as bar:
            found = _found(before, after, dropped, settings.distance, bar)
        report = _report(before, after, pruned, found, settings.distance)
        report |= {"map": str(source), "output": str(output)}
        if options.json:
            print_json(report)
        else:
            print("\n".join(_lines(report)))
    return 0


def _found(
    before: PlaceMap, after: PlaceMap, dropped: Any, distance: float, bar: Any
) -> dict[float, int]:
    """Count the places left out whose best match in the new map is near where they were."""
    from selavpr_core.retrieval import Localizer, best_mode
    from selavpr_core.retrieval.asking import ask

    counts = dict.fromkeys((distance, 2 * distance, 25.0), 0)
    localizer = Localizer(after, best_mode(after.model))
    for place, matches in zip(
        dropped.tolist(), ask(localizer, before, dropped.tolist(), 1), strict=True
    ):
        off = math.dist(before.positions[place, :2], after.positions[matches[0].place, :2])
        for radius in counts:
            counts[radius] += off <= radius
        bar.update()
    return counts


def _report(
    before: PlaceMap, after: PlaceMap, pruned: Pruned, found: dict[float, int], distance: float
) -> dict[str, Any]:
    from selavpr_core.place_map.info import size_on_disk

    kept = set(pruned.kept.tolist())
    dropped = len(before) - len(kept)
    off = [
        math.dist(before.positions[place, :2], before.positions[stand_in, :2])
        for place, stand_in in enumerate(pruned.stand_ins.tolist())
        if place != stand_in
    ]
    return {
        "places": len(before),
        "kept": len(kept),
        "dropped": dropped,
        "segments": [
            {
                "name": segment.name,
                "places": segment.count,
                "kept": sum(place in kept for place in places),
            }
            for segment, places in before.numbered_segments()
        ],
        "bytes_before": size_on_disk(before.path),
        "bytes": size_on_disk(after.path),
        "farthest_stand_in": max(off, default=0.0),
        "found_within": {
            f"{radius:g}": count / dropped if dropped else math.nan
            for radius, count in found.items()
        },
    }


def _lines(report: dict[str, Any]) -> list[str]:
    from selavpr_ros.mapping.summary import aligned, human_size

    rows = [["segment", "places", "kept", "dropped"]]
    for segment in report["segments"]:
        dropped = segment["places"] - segment["kept"]
        gone = "  (left out altogether)" if not segment["kept"] else ""
        rows.append(
            [segment["name"], str(segment["places"]), str(segment["kept"]), f"{dropped}{gone}"]
        )
    lines = [
        *aligned(rows),
        "",
        f"map      {report['output']}: {report['kept']} of {report['places']} places,"
        f" {human_size(report['bytes'])} of {human_size(report['bytes_before'])}",
    ]
    if report["dropped"]:
        shares = ", ".join(
            f"{100 * share:.1f} % within {radius} m"
            for radius, share in report["found_within"].items()
        )
        lines += [
            f"dropped  {report['dropped']} places; what stands for them is at most"
            f" {report['farthest_stand_in']:.1f} m away",
            f"recall   of the dropped places asked of the new map: {shares}",
        ]
    else:
        lines.append("dropped  nothing: no place can stand for another")
    return lines
