"""Show that a calibrated map keeps its precision on drives that it was not calibrated on.

Run `python -m benchmarks.calibration`; `--help` lists the options. A rendered town is driven along
all its inner streets, there and back: for the map, for a second session of the map, and for queries
on the same day and in other seasons. The map is calibrated from its own places or from a drive, and
the thresholds are then put to drives that took no part in that. There, as many queries come from
outside of the map as from inside; those from outside are frames of another town, not places that
were hidden. `--seed` renders other towns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from examples.places.drives import SAVED, Visit, views
from examples.streets import Renderer, Rig, Sensor, Traffic, build_world, condition, park_cars
from examples.streets.conditions import Time, Weather
from examples.streets.sprites import Season
from selavpr_core.calibration import Choice, ask_drive, ask_own_places, choose_thresholds
from selavpr_core.describer import Describer, load_describer
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap
from selavpr_core.retrieval import Localizer, margin

CROSSINGS = 5  # in each direction: 24 inner streets
SPACING = 7.0  # metres between pictures
WANTED = (0.9, 0.95, 0.99)
DAY = 86_400 * 10**9
CAMERA = Rig(height=1.6, sensor=Sensor(grain=1.5, vignette=0.1))
ANOTHER = Rig(height=1.5, pitch=0.01, yaw=-0.02, sensor=Sensor(warmth=0.1, quality=85))


class _Ride(NamedTuple):
    """A drive: which town, how many of its streets, condition, camera and lane."""

    town: int
    streets: int | None
    look: tuple[Season, Time, Weather]
    rig: Rig
    lane: float


_NOON: tuple[Season, Time, Weather] = ("summer", "noon", "broken")
_SPRING: tuple[Season, Time, Weather] = ("spring", "morning", "overcast")
DRIVES = {
    "map": _Ride(0, None, _NOON, CAMERA, 1.2),
    "same day": _Ride(0, None, _NOON, CAMERA, 0.6),
    "same day elsewhere": _Ride(1, 12, _NOON, CAMERA, 0.6),
    "autumn": _Ride(0, None, ("autumn", "afternoon", "broken"), ANOTHER, 1.6),
    "spring": _Ride(0, None, _SPRING, ANOTHER, 0.6),
    "spring elsewhere": _Ride(1, 12, _SPRING, ANOTHER, 0.6),
}


def describe_drives(describer: Describer, seed: int, folder: Path) -> dict[str, PlaceMap]:
    """Render and describe each drive into a map of its own, unless the folder has it already."""
    drives = {}
    for number, (name, ride) in enumerate(DRIVES.items()):
        path = folder / f"{seed}-{name.replace(' ', '-')}"
        if not path.exists() or not PlaceMap.load(path).segments:  # none: it was interrupted
            _describe_drive(describer, seed, number, ride, path)
        drives[name] = PlaceMap.load(path, describer.fingerprint)
    return drives


def _describe_drive(describer: Describer, seed: int, number: int, ride: _Ride, path: Path) -> None:
    town = 1000 * seed + 500 + ride.town
    world = build_world(town, CROSSINGS, CROSSINGS)
    light = condition(*ride.look, seed=town)
    visit = Visit(path.name, light, "", SPACING, ride.rig, ride.lane, streets=ride.streets)
    drive = 10 * town + number
    renderer = Renderer(world, light, park_cars(world, drive))
    traffic = Traffic(world, drive, visit.busy)
    cameras = list(views(world, visit, drive))

    def images() -> Iterator[NDArray[np.uint8]]:
        for frame, camera in enumerate(tqdm(cameras, path.name, leave=False, disable=None)):
            passing = traffic.at(20.0 * frame, camera.x, camera.y, camera.yaw)
            image = cv2.resize(renderer.image(camera, passing), SAVED, interpolation=cv2.INTER_AREA)
            yield ride.rig.sensor.take(np.asarray(image, np.uint8), 1000 * drive + frame)

    poses = np.array([[camera.x, camera.y, camera.yaw] for camera in cameras])
    model = ModelInfo.from_describer(describer)
    with MapWriter(path, model, None) as writer, writer.segment(path.name, "rendered") as segment:
        start = 0
        for codes, descriptors in describer.stream(images()):
            count = len(codes if codes is not None else descriptors)  # type: ignore[arg-type]
            batch = poses[start : start + count]
            nothing = np.zeros(count)
            segment.add(
                codes,
                descriptors,
                positions=np.column_stack([batch[:, :2], nothing]),
                headings=np.angle(np.exp(1j * batch[:, 2])),
                heading_sigmas=nothing,
                position_sigmas=nothing,
                stamps=number * DAY + 10**9 * np.arange(start, start + count),
            )
            start += count


class _Case(NamedTuple):
    """What a map is made of, what it is calibrated by, and the drives that are held back."""

    map: Sequence[str]
    by: str | None
    held_back: Sequence[str]


CASES = (
    _Case(("map",), None, ("same day", "autumn", "spring")),
    _Case(("map",), "autumn", ("same day", "spring")),
    _Case(("map", "autumn"), None, ("same day", "spring")),
)
ELSEWHERE = {
    "same day": "same day elsewhere",
    "autumn": "spring elsewhere",
    "spring": "spring elsewhere",
}


class Figure(NamedTuple):
    """What thresholds did on a drive that was held back.

    answered: of `inside` queries from the map and `outside` ones from another town. precision: with
    those from outside weighted as if they were as many as those from inside. recall: right answers
    of the queries from inside.
    """

    drive: str
    inside: int
    outside: int
    answered: int
    precision: float
    recall: float


def held_back(place_map: PlaceMap, inside: PlaceMap, outside: PlaceMap, choice: Choice) -> Figure:
    """Put thresholds to a drive through the map, and to one through another town."""
    localizer = Localizer(place_map)
    answers = ask_drive(place_map, inside).answers
    counted = (answers.similarities >= choice.similarity) & (answers.margins >= choice.margin)
    right = int((counted & answers.right).sum())
    wrong = int((counted & answers.inside & ~answers.right).sum())
    assert outside.codes is not None
    codes = np.concatenate(outside.codes)
    false = 0
    for number in range(len(outside)):
        matches = localizer.localize(codes[number], outside.gather([number])[0])
        similar = matches[0].similarity >= choice.similarity
        false += similar and margin(matches, place_map.positions) >= choice.margin
    from_inside = int(answers.inside.sum())
    weight = from_inside / len(outside)
    answered = right + wrong + weight * false
    return Figure(
        drive=inside.segments[0].name,
        inside=from_inside,
        outside=len(outside),
        answered=right + wrong + false,
        precision=right / answered if answered else float("nan"),
        recall=right / from_inside,
    )


def measure(drives: Mapping[str, PlaceMap], folder: Path) -> list[dict[str, Any]]:
    """Calibrate every case for every wanted precision; put the thresholds to what is held back."""
    rows = []
    for case in CASES:
        place_map = _joined([drives[name] for name in case.map], folder / "-".join(case.map))
        asked = (
            ask_own_places(place_map) if case.by is None else ask_drive(place_map, drives[case.by])
        )
        for wanted in WANTED:
            choice = choose_thresholds(asked.answers, wanted)
            figures = [
                held_back(place_map, drives[name], drives[ELSEWHERE[name]], choice)
                for name in case.held_back
            ]
            rows.append(
                {
                    "map": " + ".join(case.map),
                    "by": case.by or f"own places ({asked.kind})",
                    "wanted": wanted,
                    **choice._asdict(),
                    "held_back": [figure._asdict() for figure in figures],
                }
            )
    return rows


def _joined(parts: Sequence[PlaceMap], path: Path) -> PlaceMap:
    if len(parts) == 1:
        return parts[0]
    if not path.exists():
        with MapWriter(path, parts[0].model, None) as writer:
            for part in parts:
                assert part.codes is not None
                with writer.segment(part.segments[0].name, "rendered") as segment:
                    segment.add(
                        np.concatenate(part.codes),
                        part.gather(range(len(part))),
                        positions=part.positions,
                        headings=part.headings,
                        heading_sigmas=part.heading_sigmas,
                        position_sigmas=part.position_sigmas,
                        stamps=part.stamps,
                    )
    return PlaceMap.load(path)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        reached = "" if row["reached"] else ", NOT REACHED (not stored)"
        lines.append(
            f"map {row['map']}, by {row['by']}, wanted {100 * row['wanted']:g} %: similarity"
            f" {row['similarity']:.3f}, margin {row['margin']:g}; there precision"
            f" {100 * row['precision']:.1f} % (at least {100 * row['bound']:.1f} %), recall"
            f" {100 * row['recall']:.1f} %{reached}"
        )
        lines += [
            f"    held back {figure['drive']:14} precision {100 * figure['precision']:5.1f} %,"
            f" recall {100 * figure['recall']:5.1f} %, {figure['answered']} answers to"
            f" {figure['inside']} queries from inside and {figure['outside']} from another town"
            for figure in row["held_back"]
        ]
    return "\n".join(lines)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="tiny", help="a name or a file; default: tiny")
    parser.add_argument("--seed", type=int, default=3, help="another seed, other towns; default: 3")
    parser.add_argument(
        "--kept", type=Path, help="keep the described drives here, and take them from here"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="calibration.") as work:
        describer = load_describer(options.weights)
        drives = describe_drives(describer, options.seed, options.kept or Path(work))
        rows = measure(drives, Path(work))
    print(json.dumps(rows, indent=2) if options.json else _table(rows))


if __name__ == "__main__":
    main()
