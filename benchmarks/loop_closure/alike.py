"""A town of blocks that are all alike, and a circuit through it driven three times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.loop_closure.recording import Recording, seen_together
from examples.streets import (
    Camera,
    Drive,
    Renderer,
    World,
    buildings,
    condition,
    facades,
    furniture,
    ground,
    park_cars,
    route,
    styles,
)
from examples.streets.buildings import House
from examples.streets.light import Light
from examples.streets.plan import Block, Lot, Plan, Points, Street, inset, rounded
from selavpr_ros.loop_closure import CameraModel, LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

PITCH = 80.0  # metres from crossing to crossing: as far as the next look-alike is
ROWS, COLUMNS = 4, 5  # crossings
CARRIAGEWAY, PAVEMENT = 9.0, 3.0
HOUSES = 7  # on each side of a block
DEPTH = 9.0
CIRCUIT = ((1, 1), (1, 2), (1, 3), (2, 3), (2, 2), (2, 1))
LAPS = 3
SPEED = 5.0  # m/s
SIZE = (512, 384)
SPACING = 4.0  # metres from frame to frame
SEED = 11


@dataclass(frozen=True)
class Frames:
    """What a robot gets on a drive, and where it really was.

    stamps: [N] ns. positions: [N, 3] metres and headings: [N] radians, the truth. odometry: [N, 3]
    x, y, yaw as a drifting odometry has them.
    """

    stamps: NDArray[np.int64]
    positions: NDArray[np.float64]
    headings: NDArray[np.float64]
    odometry: NDArray[np.float64]


def build_town(seed: int) -> World:
    """Build a town in which a block's houses are those of every other, moved by the pitch.

    Trees and street furniture differ, as they do where people live; parked cars are added later.
    """
    plan = _plan()
    palette = styles.make_palette(seed, plan.kind)
    rng = np.random.default_rng([seed, 51])
    looks = [replace(styles.random_style(rng, palette), roof="flat") for _ in range(4 * HOUSES)]
    houses = [
        House(lot, facades.lay_out(look, lot.width, number))
        for block in plan.blocks
        for number, (lot, look) in enumerate(zip(block.lots, looks, strict=True))
    ]
    trees, things, solid = furniture.place(rng, plan)
    surfaces = [surface for house in houses for surface in buildings.surfaces(house)]
    return World(
        seed=seed,
        plan=plan,
        houses=tuple(houses),
        surfaces=(*surfaces, *solid),
        walls=np.concatenate([house.walls() for house in houses]),
        trees=tuple(trees),
        things=tuple(things),
        ground=tuple(ground.patches(rng, plan)),
    )


def _plan() -> Plan:
    x, y = PITCH * np.arange(COLUMNS), PITCH * np.arange(ROWS)
    crossings = np.stack(np.meshgrid(x, y), axis=-1)
    streets = [
        Street((row, column), end, CARRIAGEWAY, PAVEMENT, False, False, (True, True))
        for row in range(ROWS)
        for column in range(COLUMNS)
        for end in ((row, column + 1), (row + 1, column))
        if end[0] < ROWS and end[1] < COLUMNS
    ]
    square = PITCH * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    blocks = [
        _block(square + crossings[row, column])
        for row in range(ROWS - 1)
        for column in range(COLUMNS - 1)
    ]
    return Plan(crossings, tuple(streets), tuple(blocks), "rows")


def _block(square: Points) -> Block:
    kerb = rounded(inset(square, [CARRIAGEWAY / 2] * 4), 3.2)
    front = inset(square, [CARRIAGEWAY / 2 + PAVEMENT] * 4)
    lots = []
    for edge, (start, end) in enumerate(zip(front, np.roll(front, -1, axis=0), strict=True)):
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        inward = np.array([-along[1], along[0]])
        for piece in range(HOUSES):
            first, last = piece == 0, piece == HOUSES - 1
            a = start + piece / HOUSES * length * along
            b = start + (piece + 1) / HOUSES * length * along
            drawn_in = 0.45 * length / HOUSES
            back = np.array(
                [
                    a + DEPTH * inward + first * drawn_in * along,
                    b + DEPTH * inward - last * drawn_in * along,
                ]
            )
            corner = edge if first else (edge + 1) % 4 if last else None
            lots.append(Lot(a, b, DEPTH, back, corner, False, not first, not last))
    return Block(kerb, front, tuple(lots), False)


def drive(world: World, seed: int, spacing: float) -> Frames:
    """Drive the circuit; a frame every `spacing` metres or so, no two laps on quite one line."""
    path = route(world.plan, (*CIRCUIT * LAPS, CIRCUIT[0]))
    way = Drive.along(path, 0, SPEED, seed=seed)
    stamps = way.stamps_at(SPEED / spacing)
    positions, headings = way.at(stamps)
    # Each lap a little farther to one side, as nobody drives one line twice.
    lap = np.minimum(np.arange(len(stamps)) * LAPS // len(stamps), LAPS - 1)
    side = np.array([0.0, 0.6, -0.5])[lap]
    positions[:, 0] -= side * np.sin(headings)
    positions[:, 1] += side * np.cos(headings)
    return Frames(stamps, positions, headings, _drifting(positions, headings, seed))


def alike(seed: int = SEED, spacing: float = SPACING) -> Recording:
    """Render the circuit and return its recording, with odometry and camera."""
    world = build_town(seed)
    frames = drive(world, seed, spacing)
    shown = tqdm(
        pictures(world, frames, seed),
        desc="rendering",
        total=len(frames.stamps),
        leave=False,
        disable=None,
    )
    return Recording(
        name="alike",
        rule="25 m, 45 degrees",
        stamps=frames.stamps.tolist(),
        poses=[PlanarPose(x, y, 0.0, yaw) for x, y, yaw in frames.odometry.tolist()],
        pictures=[_jpeg(picture) for picture in shown],
        right=seen_together(frames.positions, frames.headings),
        settings=LoopClosureSettings(),
        camera=camera_model(),
        positions=frames.positions,
    )


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def camera_model() -> CameraModel:
    """Return what camera_info would say of the camera."""
    (fx, _, cx), (_, fy, cy), _ = lens().intrinsics.tolist()
    return CameraModel(*SIZE, fx, fy, cx, cy)


def _drifting(
    positions: NDArray[np.float64], headings: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Odometry [N, 3] that measures ways 1.5 % too long and turns 0.01 degrees a metre to a side.

    Both also scatter: by 2 % of each step, and by 0.1 degrees of the root of a metre.
    """
    rng = np.random.default_rng([seed, 52])
    steps = np.diff(positions[:, :2], axis=0)
    metres = np.linalg.norm(steps, axis=1)
    scatter = rng.standard_normal((2, len(steps)))
    errors = np.radians(0.01) * metres + np.radians(0.1) * np.sqrt(metres) * scatter[0]
    turned = np.concatenate([[0.0], np.cumsum(errors)])
    # Which way a step goes is known as well as the heading at its beginning.
    cos, sin = np.cos(turned[:-1]), np.sin(turned[:-1])
    gain = 1.015 + 0.02 * scatter[1]
    moved = np.stack([cos * steps[:, 0] - sin * steps[:, 1], sin * steps[:, 0] + cos * steps[:, 1]])
    places = np.concatenate([np.zeros((1, 2)), np.cumsum(gain[:, None] * moved.T, axis=0)])
    return np.column_stack([places, headings + turned])


def lights(seed: int) -> list[Light]:
    """The light of each lap."""
    return [
        condition("summer", "noon", "broken", seed),
        condition("summer", "afternoon", "overcast", seed + 1),
        condition("autumn", "morning", "broken", seed + 2),
    ]


def pictures(world: World, frames: Frames, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Render the frames [384, 512, 3]; each lap has its own light and its own parked cars."""
    count = len(frames.stamps)
    for lap, light in enumerate(lights(seed)):
        renderer = Renderer(world, light, park_cars(world, seed + lap))
        for number in range(lap * count // LAPS, (lap + 1) * count // LAPS):
            x, y, z = frames.positions[number].tolist()
            yield renderer.image(lens(x, y, z, float(frames.headings[number])))


def lens(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Camera:
    """The camera, where it stands."""
    return Camera(x, y, z, yaw, width=SIZE[0], height=SIZE[1])
