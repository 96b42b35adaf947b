"""The demo's own bags: one street, driven along twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from examples.streets import LIGHTS, Camera, Drive, Renderer, build_world, park_cars, route
from examples.streets import write_bag as write_drive
from selavpr_core.geodesy import Datum

# A quarter with a park and a tower; the drive turns left once and right once.
SEED = 7
ROUTE = ((1, 1), (1, 2), (2, 2), (2, 3))
DATUM = Datum.at(47.05, 8.31, 440.0)
NOON = 1_750_413_600 * 1_000_000_000  # 20 June 2025, 12:00 in Switzerland
AFTERNOON = NOON + (26 * 60 + 17) * 60_000_000_000

Progress = Callable[[str, int, int], None]


def render_bags(
    map_bag: Path,
    query_bag: Path,
    progress: Progress,
    crossings: Sequence[tuple[int, int]] = ROUTE,
    rates: tuple[float, float] = (2.0, 1.0),
    camera: Camera | None = None,
) -> None:
    """Write both drives as rosbag2 folders that do not exist yet.

    The first is driven at noon; the second a day later in the afternoon, a little faster, 1.2 m
    farther left, with other cars at the kerb. `rates` are pictures a second of both. `progress` is
    told the name of the bag, the frames done and all frames.
    """
    world = build_world(SEED)
    path = route(world.plan, crossings)
    lens = camera or Camera(0.0, 0.0, 0.0, 0.0)
    for bag, light, cars, drive, rate in (
        (map_bag, "summer-noon", 1, Drive.along(path, NOON, 5.0, seed=1), rates[0]),
        (
            query_bag, "summer-afternoon", 2,
            Drive.along(path, AFTERNOON, 5.6, lateral=1.2, seed=2), rates[1],
        ),
    ):  # fmt: skip
        renderer = Renderer(world, LIGHTS[light], park_cars(world, cars))
        total = len(drive.stamps_at(rate))
        for done in write_drive(bag, renderer, drive, DATUM, image_rate=rate, camera=lens):
            progress(bag.name, done, total)
