"""A rendered town of a few fronts repeated over and over, and the drives through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.streets import (
    Camera,
    Drive,
    Renderer,
    Traffic,
    World,
    build_world,
    buildings,
    condition,
    facades,
    park_cars,
    route,
    styles,
)
from examples.streets.light import Light

FRONTS = 3  # different ones in the whole town
SIZE = (320, 240)
SPEED = 5.0  # m/s
RATE = 2.0  # pictures a second
MAPPED = ((1, 1), (1, 2), (1, 3), (2, 3), (2, 2), (2, 1), (3, 1), (3, 2), (3, 3), (4, 3))
SECOND = ((2, 1), (2, 2), (2, 3), (3, 3))  # a second session: partly the other way, partly new
AWAY = ((1, 1), (1, 2), (0, 2), (0, 3), (0, 4), (1, 4), (1, 3), (2, 3), (2, 2))
BACKWARDS = ((2, 1), (3, 1), (3, 2), (2, 2), (1, 2), (1, 1))


@dataclass(frozen=True)
class Frames:
    """Pictures of a drive, in order: stamps `[N]` ns, positions `[N, 3]` m, headings `[N]` rad."""

    name: str
    stamps: NDArray[np.int64]
    positions: NDArray[np.float64]
    headings: NDArray[np.float64]


class _Session(NamedTuple):
    crossings: Sequence[tuple[int, int]]
    light: tuple[str, str, str]
    lateral: float
    speed: float
    cars: int
    height: float


SESSIONS = {
    "map first": _Session(MAPPED, ("summer", "noon", "broken"), 0.0, 5.0, 1, 1.6),
    "map second": _Session(SECOND, ("summer", "afternoon", "clear"), 0.3, 4.0, 2, 1.6),
    "again": _Session(MAPPED, ("autumn", "morning", "overcast"), 0.8, 4.6, 3, 1.5),
    "away and back": _Session(AWAY, ("autumn", "noon", "overcast"), 0.5, 5.0, 4, 1.5),
    "other way": _Session(BACKWARDS, ("autumn", "noon", "overcast"), 0.5, 5.0, 5, 1.5),
}
STANDING = 40  # pictures at one place, while others drive by


def build_town(seed: int, fronts: int = FRONTS) -> World:
    """Build a town of right angles whose houses all have one of a few fronts."""
    world = build_world(seed, 5, 5, "grid")
    return with_repeated_fronts(world, fronts)


def with_repeated_fronts(world: World, fronts: int) -> World:
    """The same streets and lots, with every house's front one of `fronts`, in turns."""
    rng = np.random.default_rng([world.seed, 61])
    palette = styles.make_palette(world.seed, world.plan.kind)
    looks = [replace(styles.random_style(rng, palette), roof="flat") for _ in range(fronts)]
    houses = []
    for number, house in enumerate(world.houses):
        look = looks[number % fronts]
        front = facades.lay_out(look, house.lot.width, number % fronts)
        houses.append(replace(house, facade=front, tower=False))
    before = [surface for house in world.houses for surface in buildings.surfaces(house)]
    start = next(
        n
        for n, s in enumerate(world.surfaces)
        if all(
            np.array_equal(a.corners, b.corners)
            for a, b in zip(world.surfaces[n : n + 3], before[:3], strict=True)
        )
    )
    after = [surface for house in houses for surface in buildings.surfaces(house)]
    return replace(
        world,
        houses=tuple(houses),
        surfaces=(*world.surfaces[:start], *after, *world.surfaces[start + len(before) :]),
        walls=np.concatenate([house.walls() for house in houses]),
    )


def frames_of(world: World, name: str, seed: int) -> Frames:
    """Where a session takes its pictures."""
    session = SESSIONS[name]
    path = route(world.plan, session.crossings)
    drive = Drive.along(path, 0, session.speed, session.lateral, session.height, seed)
    stamps = drive.stamps_at(RATE)
    positions, headings = drive.at(stamps)
    if name == "other way":  # it waits for a while on its way
        halt = len(stamps) // 4
        order = np.concatenate(
            [np.arange(halt), np.full(STANDING, halt), np.arange(halt, len(stamps))]
        )
        positions, headings = positions[order], headings[order]
        stamps = (np.arange(len(order)) * 1e9 / RATE).astype(np.int64)
    return Frames(name, stamps, positions, headings)


def pictures(world: World, frames: Frames, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Render the pictures of a session, RGB uint8 [H, W, 3]."""
    session = SESSIONS[frames.name]
    light: Light = condition(*session.light, seed=10 * seed + session.cars)  # type: ignore[arg-type]
    renderer = Renderer(world, light, park_cars(world, 100 * seed + session.cars))
    traffic = Traffic(world, 100 * seed + session.cars)
    rng = np.random.default_rng([seed, session.cars])
    for stamp, (x, y, z), heading in zip(
        frames.stamps, frames.positions, frames.headings, strict=True
    ):
        camera = Camera(
            x,
            y,
            z,
            heading + rng.normal(0, 0.01),
            rng.normal(0, 0.01),
            0.0,
            width=SIZE[0],
            height=SIZE[1],
        )
        yield renderer.image(camera, traffic.at(stamp / 1e9, x, y, heading))
