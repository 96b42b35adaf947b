"""What moves in the streets: cars, vans, lorries and buses on the road, people, cyclists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.streets.cars import COLOURS, MOVING, Car, Kind
from examples.streets.people import LOOKS, Person
from examples.streets.world import World

Points = NDArray[np.float64]

_REACH = 90.0  # metres from the camera within which anything is of interest
_GAP = 8.0  # metres that the road in front of and behind the camera is free
_BESIDE = 1.2  # metres that a car beside the camera keeps from it
_PERSONAL = 1.6  # metres that people keep from it
_END = 9.0  # metres from a crossing's middle where cars come and go


@dataclass(frozen=True)
class Passing:
    """What is on its way around the camera at one moment."""

    cars: tuple[Car, ...] = ()
    people: tuple[Person, ...] = ()


@dataclass(frozen=True)
class _Mover:
    """One that goes along a street, from end to end and again."""

    start: Points  # [2], of the street
    along: Points  # [2], the way it goes
    length: float
    out: float  # metres to the right of the street's middle as it goes
    first: float  # metres along the street at the time 0
    speed: float
    kind: Kind | None  # None: somebody on foot or on a bicycle
    look: int

    def at(self, seconds: float) -> tuple[float, float]:
        room = self.length - 2 * _END
        gone = _END + (self.first + self.speed * seconds) % room
        right = np.array([self.along[1], -self.along[0]])
        x, y = self.start + gone * self.along + self.out * right
        return float(x), float(y)


class Traffic:
    """The traffic of one drive: the same seed, the same traffic at the same moment.

    `busy` is how much there is: 1 is a car for every 40 m of a street and somebody on foot for
    every 12 m of a pavement, 0 nobody at all.
    """

    def __init__(self, world: World, seed: int, busy: float = 1.0) -> None:
        rng = np.random.default_rng([seed, 85])
        self._movers = list(_movers(world, rng, busy))
        self._starts = np.array([m.start + 0.5 * m.length * m.along for m in self._movers])

    def at(self, seconds: float, x: float, y: float, heading: float) -> Passing:
        """Who and what is near a camera at (x, y) that looks along `heading`; none is in its way.

        The road is free for 8 m before and behind the camera, and people keep 1.6 m from it.
        """
        if not self._movers:
            return Passing()
        near = np.linalg.norm(self._starts - [x, y], axis=1) < _REACH + 60
        ahead = np.array([np.cos(heading), np.sin(heading)])
        cars: list[Car] = []
        people: list[Person] = []
        for index in np.flatnonzero(near):
            mover = self._movers[index]
            at = mover.at(seconds)
            offset = np.array(at) - [x, y]
            if not -15 < float(offset @ ahead) < _REACH:
                continue
            course = float(np.arctan2(mover.along[1], mover.along[0]))
            if mover.kind is None:
                if _passes(offset, ahead):
                    step = (mover.first + mover.speed * seconds) / 1.4 % 1.0
                    walks = course + (np.pi if mover.speed < 0 else 0.0)
                    people.append(Person(*at, walks, mover.look, step, mover.speed > 3))
                continue
            car = Car(*at, course, mover.kind, mover.look)
            if _keeps_off(car, x, y, ahead) and not _meets(car, cars):
                cars.append(car)
        return Passing(tuple(cars), tuple(people))


def _movers(world: World, rng: np.random.Generator, busy: float) -> Iterator[_Mover]:
    for street in world.plan.streets:
        ends = world.plan.ends(street)
        half = 0.5 * street.carriageway
        # Right-hand traffic: who goes from start to end has street.parking's second side.
        for (start, end), parking in (
            (ends, street.parking[1]), (ends[::-1], street.parking[0]),
        ):  # fmt: skip
            length = float(np.linalg.norm(end - start))
            along = (end - start) / length
            room = length - 2 * _END
            if room <= 1:
                continue
            kerb = half - (2.1 if parking else 0.0)  # of what is left of the road

            def mover(
                out: float, speed: float, kind: Kind | None, looks: int,
                start: Points = start, along: Points = along, length: float = length,
                room: float = room,
            ) -> _Mover:  # fmt: skip
                first = float(rng.uniform(0, room))
                look = int(rng.integers(looks))
                return _Mover(start, along, length, out, first, speed, kind, look)

            for _ in range(rng.poisson(busy * room / 80)):
                kind = MOVING[int(rng.integers(len(MOVING)))]
                if kind in ("bus", "lorry") and rng.random() < 0.5:
                    kind = "hatchback"
                out = max(0.5 * kerb, 1.35) + float(rng.normal(0, 0.1))
                yield mover(out, float(rng.uniform(5, 11)), kind, len(COLOURS))
            if rng.random() < 0.35 * busy:
                yield mover(kerb - 0.7, float(rng.uniform(3.5, 6)), None, LOOKS)
            for _ in range(rng.poisson(busy * room / 14)):
                out = half + float(rng.uniform(0.5, max(0.6, street.pavement - 0.5)))
                speed = float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.9, 1.7))
                yield mover(out, speed, None, LOOKS)


def _passes(offset: Points, ahead: Points) -> bool:
    """Whether somebody so far from the camera neither touches it nor rides into it."""
    before, beside = float(offset @ ahead), float(ahead[0] * offset[1] - ahead[1] * offset[0])
    return float(np.hypot(*offset)) > _PERSONAL and (abs(beside) > _BESIDE or abs(before) > _GAP)


def _keeps_off(car: Car, x: float, y: float, ahead: Points) -> bool:
    """Whether a car leaves the camera its way."""
    offset = car.footprint - [x, y]
    before, beside = offset @ ahead, offset @ np.array([-ahead[1], ahead[0]])
    free = bool(before.min() > _GAP or before.max() < -_GAP)
    return free or bool(beside.min() > _BESIDE or beside.max() < -_BESIDE)


def _meets(car: Car, others: Sequence[Car]) -> bool:
    """Whether a car would stand in another."""
    for other in others:
        reach = 0.5 * (car.length + other.length) + 1.5
        if np.hypot(car.x - other.x, car.y - other.y) < reach and (
            np.cos(car.heading - other.heading) > 0.5
        ):
            return True
    return False
