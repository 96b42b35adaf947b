"""Drives through towns: which streets, in what condition, and where the camera stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from examples.streets import Camera, Light, Rig, World
from examples.streets.plan import Street

Points = NDArray[np.float64]

SIZE = (320, 240)  # pixels of what is rendered, width and height
SAVED = (256, 192)  # pixels of what is kept: a lens is never as sharp as a rendering
_AT_CROSSING = 13.0  # metres from a crossing's middle where a drive along a street begins
_AT_EDGE = 30.0  # and where it ends if there is nothing but open country beyond the crossing


@dataclass(frozen=True)
class Visit:
    """One drive along every inner street of a town, there and back.

    name: of the drive's folder. light: the condition it is driven in. date: year and month,
    "2025-06". spacing: metres between pictures, on average. rig: the camera. lane: metres to the
    right of the street's middle; sway: standard deviation of the distance from it, metres; turn:
    of the heading from the street's, degrees. parked: share of the places at the kerb that are
    taken. busy: how much traffic there is, 1 is usual.
    """

    name: str
    light: Light
    date: str
    spacing: float
    rig: Rig = field(default_factory=Rig)
    lane: float = 1.2
    sway: float = 0.3
    turn: float = 3.0
    parked: float = 0.55
    busy: float = 1.0


def views(world: World, visit: Visit, seed: int) -> Iterator[Camera]:
    """The cameras of a drive, in the order of driving; the same seed gives the same drive."""
    rng = np.random.default_rng([seed, 80])
    for street in inner_streets(world):
        outside = [_at_edge(world, crossing) for crossing in (street.start, street.end)]
        ends = world.plan.ends(street)
        # Whatever the lane and its sway, the camera stays off the cars at the kerb.
        widest = 0.5 * street.carriageway - 2.6
        for (start, end), to_outside in ((ends, outside[1]), (ends[::-1], outside[0])):
            length = float(np.linalg.norm(end - start))
            along = (end - start) / length
            right = np.array([along[1], -along[0]])
            heading = float(np.arctan2(along[1], along[0]))
            at = _AT_CROSSING + float(rng.uniform(0.0, visit.spacing))
            stop = length - (_AT_EDGE if to_outside else _AT_CROSSING)
            while at < stop:
                out = float(np.clip(visit.lane + rng.normal(0.0, visit.sway), -widest, widest))
                x, y = start + at * along + out * right
                turned = heading + float(rng.normal(0.0, np.radians(visit.turn)))
                yield visit.rig.camera(float(x), float(y), turned, SIZE, rng)
                at += visit.spacing * float(rng.uniform(0.8, 1.2))


def inner_streets(world: World) -> list[Street]:
    """The streets with houses on both sides: all but those around the town."""
    last_row, last_column = np.array(world.plan.crossings.shape[:2]) - 1

    def at_edge(street: Street) -> bool:
        (row, column), (other_row, other_column) = street.start, street.end
        along_row = row == other_row and row in (0, last_row)
        return along_row or (column == other_column and column in (0, last_column))

    return [street for street in world.plan.streets if not at_edge(street)]


def _at_edge(world: World, crossing: tuple[int, int]) -> bool:
    rows, columns = world.plan.crossings.shape[:2]
    return crossing[0] in (0, rows - 1) or crossing[1] in (0, columns - 1)
