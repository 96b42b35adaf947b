"""Drives through towns: which streets, in what light, and where the camera stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.streets import Camera, World
from examples.streets.plan import Street

Points = NDArray[np.float64]

WIDTH, HEIGHT = 160, 120  # pixels
_AT_CROSSING = 14.0  # metres from a crossing's middle where a drive along a street begins
_LANE = 1.2  # metres to the right of the street's middle


@dataclass(frozen=True)
class Visit:
    """One drive along every inner street of a town, there and back.

    name: of the drive's folder. light: a name in LIGHTS. date: year and month, "2025-06".
    spacing: metres between pictures, on average. sway: standard deviation of the camera's distance
    from its lane, metres; turn: of its heading from the street's, degrees.
    """

    name: str
    light: str
    date: str
    spacing: float
    sway: float = 0.5
    turn: float = 4.0


def views(world: World, visit: Visit, seed: int) -> Iterator[Camera]:
    """The cameras of a drive, in the order of driving; the same seed gives the same drive."""
    rng = np.random.default_rng([seed, 80])
    for street in inner_streets(world):
        ends = world.plan.ends(street)
        for start, end in (ends, ends[::-1]):
            length = float(np.linalg.norm(end - start))
            along = (end - start) / length
            right = np.array([along[1], -along[0]])
            yaw = float(np.arctan2(along[1], along[0]))
            at = _AT_CROSSING + float(rng.uniform(0.0, visit.spacing))
            while at < length - _AT_CROSSING:
                x, y = start + at * along + (_LANE + float(rng.normal(0.0, visit.sway))) * right
                turned = yaw + float(rng.normal(0.0, np.radians(visit.turn)))
                height = 1.6 + float(rng.uniform(-0.1, 0.1))
                yield Camera(float(x), float(y), height, turned, width=WIDTH, height=HEIGHT)
                at += visit.spacing * float(rng.uniform(0.9, 1.1))


def inner_streets(world: World) -> list[Street]:
    """The streets with houses on both sides: all but those around the town."""
    last_row, last_column = np.array(world.plan.crossings.shape[:2]) - 1

    def at_edge(street: Street) -> bool:
        (row, column), (other_row, other_column) = street.start, street.end
        along_row = row == other_row and row in (0, last_row)
        return along_row or (column == other_column and column in (0, last_column))

    return [street for street in world.plan.streets if not at_edge(street)]
