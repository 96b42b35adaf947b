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
_AHEAD = np.radians(30.0)  # to both sides of its heading, a picture must show houses ...
_BUILT = 0.4  # ... over this share of the angle ...
_NEAR = 65.0  # ... no farther away than this many metres


@dataclass(frozen=True)
class Visit:
    """One drive along every inner street of a town, there and back.

    name: of the drive's folder. light: the condition it is driven in. date: year and month,
    "2025-06". spacing: metres between pictures, on average. rig: the camera. lane: metres to the
    right of the street's middle; sway: standard deviation of the distance from it, metres; turn:
    of the heading from the street's, degrees. parked: share of the places at the kerb that are
    taken. busy: how much traffic there is, 1 is usual. streets: how many of the inner streets are
    driven along, the first ones; None for all.
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
    streets: int | None = None


def views(world: World, visit: Visit, seed: int) -> Iterator[Camera]:
    """The cameras of a drive, in the order of driving; the same seed gives the same drive.

    Where there is little but open country ahead, the drive takes no picture.
    """
    rng = np.random.default_rng([seed, 80])
    for street in inner_streets(world)[: visit.streets]:
        ends = world.plan.ends(street)
        # Whatever the lane and its sway, the camera stays off the cars at the kerb.
        widest = 0.5 * street.carriageway - 2.6
        for start, end in (ends, ends[::-1]):
            length = float(np.linalg.norm(end - start))
            along = (end - start) / length
            right = np.array([along[1], -along[0]])
            heading = float(np.arctan2(along[1], along[0]))
            at = _AT_CROSSING + float(rng.uniform(0.0, visit.spacing))
            while at < length - _AT_CROSSING:
                out = float(np.clip(visit.lane + rng.normal(0.0, visit.sway), -widest, widest))
                x, y = start + at * along + out * right
                turned = heading + float(rng.normal(0.0, np.radians(visit.turn)))
                camera = visit.rig.camera(float(x), float(y), turned, SIZE, rng)
                if built_up(world, float(x), float(y), heading) >= _BUILT:
                    yield camera
                at += visit.spacing * float(rng.uniform(0.8, 1.2))


def inner_streets(world: World) -> list[Street]:
    """The streets with houses on both sides: all but those around the town."""
    last_row, last_column = np.array(world.plan.crossings.shape[:2]) - 1

    def at_edge(street: Street) -> bool:
        (row, column), (other_row, other_column) = street.start, street.end
        along_row = row == other_row and row in (0, last_row)
        return along_row or (column == other_column and column in (0, last_column))

    return [street for street in world.plan.streets if not at_edge(street)]


def built_up(world: World, x: float, y: float, heading: float) -> float:
    """The share of the view ahead, 30 degrees to either side, that houses within 65 m fill."""
    base = world.walls[:, :2, :2]
    shares = np.linspace(0, 1, 16)[:, None, None]
    points = (1 - shares) * base[:, 0] + shares * base[:, 1] - [x, y]
    turn = np.arctan2(points[..., 1], points[..., 0]) - heading
    turn = np.angle(np.exp(1j * turn))
    seen = (np.linalg.norm(points, axis=-1) < _NEAR) & (np.abs(turn) < _AHEAD)
    directions = np.floor((turn[seen] + _AHEAD) / np.radians(2.0)).astype(int)
    return len(np.unique(directions)) / 30
