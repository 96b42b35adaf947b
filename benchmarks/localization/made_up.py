"""The made-up drive: a long road with look-alike stretches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.localization.replay import Drive, Look, Place
from benchmarks.localization.simulation import Camera, Track, beside, drifting, winding

STEP = 3.0  # metres between places
SECONDS = 0.4  # between looks
FRAMES = 200  # of each drive
BESIDE = (0.0, 1.0, 2.0)  # metres
ALIKE = 40  # places of a stretch; each second one is of three kinds


def made_up_drive(
    seed: int, places: int, offset: float
) -> tuple[Place, Drive, Callable[[int], Look]]:
    """A map of so many places, a drive `offset` metres beside a part of it, and what it sees.

    Frames must be looked at in order.
    """
    road = winding(places * STEP, STEP / 3, seed)
    mapped = Track(road.positions[::3], road.headings[::3])
    count = len(mapped.positions)
    numbers = np.arange(count)
    stretch = numbers // ALIKE
    clusters = np.where(stretch % 2 == 0, numbers % ALIKE + ALIKE * (stretch // 2 % 3), -1)
    camera = Camera(mapped.positions, mapped.headings, seed, clusters=clusters)
    first = len(road.positions) // 3
    driven = beside(road, offset)
    frames = slice(first, min(first + 2 * FRAMES, len(road.positions)), 2)
    positions, headings = driven.positions[frames], driven.headings[frames]
    odometry = drifting(positions, headings, seed)
    moved = 2 * STEP / 3

    def look(frame: int) -> Look:
        return camera.look(positions[frame], float(headings[frame]), moved)

    seconds = np.arange(len(positions)) * np.float64(SECONDS)
    place = Place(mapped.positions, mapped.headings, [0])
    return place, Drive(positions, headings, odometry, seconds), look
