"""`python -m benchmarks.localization`: replay, and print the figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.localization.kidnapping import kidnapped, left_standing
from benchmarks.localization.made_up import BESIDE, SECONDS, made_up_drive
from benchmarks.localization.rendered import DRAWS, Rendered, load_rendered
from benchmarks.localization.replay import (
    FALSE,
    Answers,
    Drive,
    Look,
    Place,
    figures,
    on_map,
    pooled,
    with_filter,
    without_filter,
)
from selavpr_ros.progress import progress_bar
from training.command import Parser

# Frames: leaves, arrives.
JUMPS = (
    (60, 220), (110, 20), (150, 280), (200, 90), (260, 140),
    (80, 250), (130, 30), (180, 60), (230, 110), (280, 170),
)  # fmt: skip
FOLLOWED = 60  # frames before and after each
ROUNDS = 3  # of the pictures of a stop, for one who stands there for a minute
SEEDS = (33, 51, 52, 53)
SELDOM = 2  # each second picture: one look a second
FILTER, BLIND = "filter", "filter, no odometry"


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    report: dict[str, Any] = {}
    rows: list[Row] = []
    if not options.made_up:
        towns = [load_rendered(options.weights, seed, options.keep) for seed in options.seeds]
        draws = [draw for town in towns for draw in town]
        with progress_bar("replaying", len(draws) * len(draws[0].drives), "drives") as bar:
            rows = _rendered(draws, bar.update)
        report["rendered"] = {f"{row.drive}, {row.kind}": row.figures for row in rows}
        report["kidnapping"] = _kidnapping([town[0] for town in towns])
        report["left standing"] = _left_standing([town[0] for town in towns])
    roads = [DRAWS * seed + draw for seed in options.seeds for draw in range(DRAWS)]
    with progress_bar("making up", len(BESIDE) * len(roads), "drives") as bar:
        made_up = [
            row for offset in BESIDE for row in _made_up(roads, options.places, offset, bar.update)
        ]
    report["made up"] = {f"{row.drive}, {row.kind}": row.figures for row in made_up}
    report["all drives"] = _together([*rows, *made_up])
    report["places"] = options.places
    print(json.dumps(report, indent=2) if options.json else _table(report))


class Row(NamedTuple):
    """What one way of localising made of one drive; mapped `[F]`: frames of mapped ground."""

    drive: str
    kind: str
    answers: Answers
    mapped: NDArray[np.bool_]

    @property
    def figures(self) -> dict[str, float | int | None]:
        """As JSON values."""
        return figures(self.answers, self.mapped)


def _compared(name: str, place: Place, drive: Drive, look: Callable[[int], Look]) -> list[Row]:
    mapped = on_map(place, drive)
    blind = drive._replace(odometry=None)
    return [
        Row(name, "single images", without_filter(place, drive, look), mapped),
        Row(name, FILTER, with_filter(place, drive, look), mapped),
        Row(name, BLIND, with_filter(place, blind, look), mapped),
    ]


def _rendered(draws: Sequence[Rendered], progress: Callable[[], object]) -> list[Row]:
    rows = []
    for name in draws[0].drives:
        of_draws = []
        for draw in draws:
            place, drive, look = draw.place, draw.drives[name], draw.look(name)
            seldom = drive.every(SELDOM)
            answers = with_filter(place, seldom, lambda frame, look=look: look(SELDOM * frame))  # type: ignore[misc]
            row = Row(name, "filter, 1 look/s", answers, on_map(place, seldom))
            of_draws.append([*_compared(name, place, drive, look), row])
            progress()
        rows += [_pooled(same) for same in zip(*of_draws, strict=True)]
    return rows


def _made_up(
    roads: Sequence[int], places: int, offset: float, progress: Callable[[], object]
) -> list[Row]:
    of_roads = []
    for seed in roads:
        place, drive, look = made_up_drive(seed, places, offset)
        looks = [look(frame) for frame in range(len(drive.positions))]  # in their order
        of_roads.append(_compared(f"{offset:.0f} m beside", place, drive, looks.__getitem__))
        progress()
    return [_pooled(same) for same in zip(*of_roads, strict=True)]


def _pooled(rows: Sequence[Row]) -> Row:
    answers = pooled([row.answers for row in rows])
    return Row(rows[0].drive, rows[0].kind, answers, np.concatenate([row.mapped for row in rows]))


def _together(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The figures of all drives by the same means: what is stated holds on average, not for each.

    Of a drive beside the mapped track all errors are alike.
    """
    found = {}
    for kind in (FILTER, BLIND):
        some = [row for row in rows if row.kind == kind]
        if some:
            found[kind] = _pooled(some).figures
    return found


def _kidnapping(towns: Sequence[Rendered]) -> dict[str, Any]:
    found = [
        kidnapped(town.place, town.drives["again"], town.look("again"), *jump, FOLLOWED)
        for town in towns
        for jump in JUMPS
    ]
    return {
        "jumps": len(found),
        "false": sum(one.false for one in found),
        **_spread([one.found_after for one in found]),
    }


def _left_standing(towns: Sequence[Rendered]) -> dict[str, Any]:
    found = []
    for town in towns:
        drive, look = town.drives["again"], town.look("again")
        seen, stands = town.standing(ROUNDS)
        for leaves, _ in JUMPS:
            if (
                np.hypot(*(drive.positions[leaves] - stands)[:2]) > FALSE
            ):  # else it is no other place
                found.append(left_standing(town.place, drive, look, leaves, FOLLOWED, seen, stands))
    return {
        "jumps": len(found),
        "here": sum(one.here for one in found),
        "published": sorted(one.published for one in found),
        **_spread([one.given_up_after for one in found]),
    }


def _spread(frames: Sequence[int | None]) -> dict[str, Any]:
    """How often it came to that, and after how many frames: all, and in the median."""
    after = sorted(number for number in frames if number is not None)
    return {
        "found": len(after),
        "median_frames": float(np.median(after)) if after else None,
        "frames": after,
    }


def _table(report: Mapping[str, Any]) -> str:
    names = ("localised", "median", "p95", "false", "right", "stated", "covered", "of all", "ms")
    lines = [_row("", names)]
    for part in ("rendered", "made up", "all drives"):
        if part in report:
            lines += ["", part, *(_figures(name, one) for name, one in report[part].items())]
    if "kidnapping" in report:
        one, left = report["kidnapping"], report["left standing"]
        published = left["published"]
        lines += [
            "",
            f"kidnapping: {one['found']} of {one['jumps']} found again, {_range(one)};"
            f" {one['false']} false poses before",
            f"left standing: {left['found']} of {left['jumps']} old places given up,"
            f" {_range(left)}; poses there: {np.median(published):g} in the median,"
            f" {published[-1]} at most; in the end {left['here']} are likeliest where they are",
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
            _number(one["right"], 100, "%"),
            _number(one["stated"], 100, "%"),
            _number(one["covered"], 100, "%"),
            _number(one["covered_of_all"], 100, "%"),
            _number(one["milliseconds"], 1, "", 2),
        ),
    )


def _range(one: Mapping[str, Any]) -> str:
    if not one["frames"]:
        return "after none"
    least, most = one["frames"][0], one["frames"][-1]
    return f"after {least} to {most} frames, {one['median_frames']:g} in the median"


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
        "--seeds", type=int, nargs="+", default=SEEDS, metavar="N",
        help=f"of the towns and the roads; default: {' '.join(map(str, SEEDS))}",
    )  # fmt: skip
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
