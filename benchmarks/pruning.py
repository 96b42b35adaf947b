"""What pruning costs in recall, on rendered streets driven again and again.

    python -m benchmarks.pruning [--weights tiny] [--kept FOLDER]

A town is driven through three times for the map, in different light and with other cars at the
kerb, and twice more for queries, in light that the map has not seen. Recall is asked of the whole
map and of pruned ones, as `selavpr map prune` writes them.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from examples.streets import (
    LIGHTS,
    Camera,
    Drive,
    Renderer,
    build_world,
    park_cars,
    route,
    write_bag,
)
from selavpr_core.describer import Describer, load_describer
from selavpr_core.evaluation import positives_within, recall_at
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.pruning import PruningSettings, prune_map
from selavpr_core.retrieval import Localizer
from selavpr_core.retrieval.asking import ask
from selavpr_ros.mapping import MappingSettings, build_map
from selavpr_ros.mapping.queries import query_drive

SEED = 23
CROSSINGS = ((1, 1), (1, 2), (2, 2), (2, 1), (1, 1), (1, 2))
DATUM = Datum.at(47.05, 8.31, 440.0)
START = 1_750_413_600 * 1_000_000_000
HOUR = 3600 * 1_000_000_000
LENS = Camera(0.0, 0.0, 0.0, 0.0, width=320, height=240)


class Visit(NamedTuple):
    """A drive: `cars` and `seed` choose the parked cars and the driver's way, `speed` is in m/s.

    `hours` after the start, `lateral` metres left of the lane, `rate` pictures a second.
    """

    name: str
    light: str
    cars: int
    hours: int
    speed: float
    lateral: float
    seed: int
    rate: float


MAPPED = (
    Visit("monday", "summer-noon", 1, 0, 5.0, 0.0, 1, 2.0),
    Visit("tuesday", "summer-afternoon", 3, 24, 5.3, 0.6, 2, 2.0),
    Visit("wednesday", "summer-noon", 4, 72, 4.7, -0.4, 3, 2.0),
)
ASKED = (
    Visit("afternoon", "summer-afternoon", 2, 50, 5.6, 1.0, 5, 1.5),
    Visit("dusk", "winter-dusk", 6, 4000, 5.2, -0.8, 6, 1.5),
)
SETTINGS = [
    PruningSettings(distance, similarity=similarity)
    for distance in (5.0, 10.0)
    for similarity in (0.9, 0.8, 0.7, 0.6, 0.5)
]
RADII = (5.0, 10.0, 25.0)


def main() -> None:
    """Render what is not there yet, build the maps, and print a line for each."""
    parser = argparse.ArgumentParser(description="Recall before and after pruning.")
    parser.add_argument("--weights", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="keep the rendered bags there")
    options = parser.parse_args()
    describer = load_describer(options.weights, options.device)
    with tempfile.TemporaryDirectory() as folder:
        bags = Path(options.kept or folder)
        bags.mkdir(parents=True, exist_ok=True)
        _render(bags)
        _measure(bags, Path(folder), describer)


def _render(bags: Path) -> None:
    world = build_world(SEED)
    path = route(world.plan, CROSSINGS)
    for visit in (*MAPPED, *ASKED):
        if (bags / visit.name).exists():
            continue
        start = START + visit.hours * HOUR
        drive = Drive.along(path, start, visit.speed, lateral=visit.lateral, seed=visit.seed)
        renderer = Renderer(world, LIGHTS[visit.light], park_cars(world, visit.cars))
        making = bags / f".{visit.name}"
        frames = write_bag(making, renderer, drive, DATUM, image_rate=visit.rate, camera=LENS)
        total = len(drive.stamps_at(visit.rate))
        for _ in tqdm(frames, desc=visit.name, total=total, unit="frame", leave=False):
            pass
        making.rename(bags / visit.name)


def _measure(bags: Path, folder: Path, describer: Describer) -> None:
    whole = folder / "whole"
    build_map(
        [bags / visit.name for visit in MAPPED], whole, describer, MappingSettings(datum=DATUM)
    )
    with ExitStack() as stack:
        drives = [
            stack.enter_context(query_drive(bags / visit.name, DATUM, describer))[0]
            for visit in ASKED
        ]
        count = len(PlaceMap.load(whole))
        print(f"weights {describer.source}, {describer.fingerprint[:12]}")
        print("distance  similarity  places   kept" + "".join(f"  R@1 {r:3g} m" for r in RADII))
        print(f"{'none':>10}            {count:6d}  100 %{_recalls(whole, drives)}")
        for number, pruning in enumerate(SETTINGS):
            pruned = folder / str(number)
            kept = len(prune_map(whole, pruned, pruning).kept)
            print(
                f"{pruning.distance:6.0f} m  {pruning.similarity:10.2f}  {kept:6d}"
                f"  {100 * kept / count:3.0f} %{_recalls(pruned, drives)}",
                flush=True,
            )


def _recalls(path: Path, drives: list[PlaceMap]) -> str:
    """Return the recall of the best match of all drives, for each radius."""
    place_map = PlaceMap.load(path)
    localizer = Localizer(place_map)
    rankings = [
        [matches[0].place]
        for drive in drives
        for matches in ask(localizer, drive, range(len(drive)), 1)
    ]
    asked = np.concatenate([drive.positions for drive in drives])
    recalls = [
        recall_at(rankings, positives_within(asked, place_map.positions, radius), [1], True)[1]
        for radius in RADII
    ]
    return "".join(f"  {100 * recall:7.1f} %" for recall in recalls)


if __name__ == "__main__":
    main()
