"""The example's own drive: round two blocks of a rendered town, and on over streets it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from examples.slam.frames import Footage, Frame
from examples.slam.track import Track
from examples.streets import LIGHTS, Camera, Drive, Renderer, World, build_world, park_cars, route
from selavpr_ros.loop_closure import CameraModel

TOWN = 7
# An eight: the last third runs along streets that the first went along.
ROUTE = ((1, 1), (1, 2), (1, 3), (2, 3), (2, 2), (2, 1), (1, 1), (1, 2), (2, 2), (2, 1))
NOON = 1_750_413_600 * 1_000_000_000  # 20 June 2025, 12:00 in central Europe
SPEED = 5.0  # m/s
LENS = Camera(0.0, 0.0, 0.0, 0.0, width=512, height=384)


def circuit(
    spacing: float, crossings: Sequence[tuple[int, int]] = ROUTE, lens: Camera = LENS
) -> Footage:
    """Drive along crossings of the town, with a picture every `spacing` metres or so.

    The camera stands where the robot is and looks ahead.
    """
    world = build_world(TOWN)
    drive = Drive.along(route(world.plan, crossings), NOON, SPEED, seed=1)
    positions, headings = drive.at(drive.stamps)
    stamps = drive.stamps_at(SPEED / spacing)
    return Footage(
        Track(drive.stamps, np.column_stack([positions[:, :2], headings])),
        _frames(world, drive, stamps, lens),
        len(stamps),
        camera_model(lens),
        "a rendered town",
    )


def _frames(world: World, drive: Drive, stamps: NDArray[np.int64], lens: Camera) -> Iterator[Frame]:
    renderer = Renderer(world, LIGHTS["summer-noon"], park_cars(world, 1))
    for stamp in stamps:
        positions, headings = drive.at([stamp])
        x, y, z = positions[0].tolist()
        view = replace(lens, x=x, y=y, z=z, yaw=float(headings[0]))
        yield Frame(int(stamp), renderer.image(view))


def camera_model(lens: Camera) -> CameraModel:
    """Return what camera_info would say of a rendered camera."""
    matrix = lens.intrinsics
    return CameraModel(
        lens.width,
        lens.height,
        float(matrix[0, 0]),
        float(matrix[1, 1]),
        float(matrix[0, 2]),
        float(matrix[1, 2]),
    )
