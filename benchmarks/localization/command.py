"""`python -m benchmarks.localization`: replay, and print the figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.localization.made_up import BESIDE, SECONDS, made_up_drive
from benchmarks.localization.rendered import Rendered, load_rendered
from benchmarks.localization.replay import (
    Drive,
    Look,
    Place,
    figures,
    kidnapped,
    on_map,
    with_filter,
    without_filter,
)
from training.command import Parser

JUMPS = ((60, 220), (110, 20), (150, 280), (200, 90), (260, 140))  # frames: leaves, arrives
FOLLOWED = 60  # frames before and after each


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    report: dict[str, Any] = {}
    if not options.made_up:
        rendered = load_rendered(options.weights, options.seed, options.keep)
        report["rendered"] = {f"{name}, {kind}": found for name, kind, found in _rendered(rendered)}
        report["kidnapping"] = _kidnapping(rendered)
    report["made up"] = {}
    for offset in BESIDE:
        place, drive, look = made_up_drive(options.seed, options.places, offset)
        for kind, found in _compared(place, drive, look):
            report["made up"][f"{offset:.0f} m beside, {kind}"] = found
    report["places"] = options.places
    print(json.dumps(report, indent=2) if options.json else _table(report))


def _compared(
    place: Place, drive: Drive, look: Callable[[int], Look]
) -> Iterator[tuple[str, dict[str, Any]]]:
    mapped = on_map(place, drive)
    looks = [look(frame) for frame in range(len(drive.positions))]
    yield "single images", figures(without_filter(place, drive, looks.__getitem__), mapped)
    yield "filter", figures(with_filter(place, drive, looks.__getitem__), mapped)
    blind = drive._replace(odometry=None)
    yield "filter, no odometry", figures(with_filter(place, blind, looks.__getitem__), mapped)


def _rendered(rendered: Rendered) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, drive in rendered.drives.items():
        for kind, found in _compared(rendered.place, drive, rendered.look(name)):
            yield name, kind, found


def _kidnapping(rendered: Rendered) -> dict[str, Any]:
    drive, look = rendered.drives["again"], rendered.look("again")
    found = [kidnapped(rendered.place, drive, look, *jump, FOLLOWED) for jump in JUMPS]
    after = [one.found_after for one in found if one.found_after is not None]
    return {
        "jumps": len(found),
        "found": len(after),
        "median_frames": float(np.median(after)) if after else None,
        "frames": [one.found_after for one in found],
        "false": sum(one.false for one in found),
    }


def _table(report: Mapping[str, Any]) -> str:
    lines = [_row("", ("localised", "median", "p95", "false", "covered", "ms"))]
    for part in ("rendered", "made up"):
        if part in report:
            lines += ["", part, *(_figures(name, one) for name, one in report[part].items())]
    if "kidnapping" in report:
        one = report["kidnapping"]
        lines += [
            "",
            f"kidnapping: {one['found']} of {one['jumps']} found again, after "
            f"{one['frames']} frames; {one['false']} false poses before",
        ]
    lines += ["", f"made up: {report['places']} places, a look every {SECONDS} s"]
    return "\n".join(lines)


def _figures(name: str, one: Mapping[str, Any]) -> str:
    return _row(
        name,
        (
            _number(one["localised"], 100, "%"),
            _number(one["median"], 1, " m"),
            _number(one["p95"], 1, " m"),
            str(one["false"]),
            _number(one["covered"], 100, "%"),
            _number(one["milliseconds"], 1, "", 2),
        ),
    )


def _number(value: float | None, scale: float, unit: str, digits: int = 1) -> str:
    return "-" if value is None else f"{scale * value:.{digits}f}{unit}"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:36}" + "".join(f"{cell:>10}" for cell in cells)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m benchmarks.localization",
        description="Print what the filter over places adds to single images. The protocols are in"
        " benchmarks/localization/__init__.py.",
    )
    parser.add_argument("--weights", default="tiny", help="a name or a file; default: tiny")
    parser.add_argument(
        "--seed", type=int, default=33, metavar="N", help="of the town and the road; default: 33"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR",
        help="keep the descriptions of the rendered pictures here, and take them from here",
    )  # fmt: skip
    parser.add_argument(
        "--places", type=int, default=10_000, metavar="N",
        help="places of the made-up map; default: 10000",
    )  # fmt: skip
    parser.add_argument("--made-up", action="store_true", help="leave out what is rendered")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    return parser
