"""Drives through a quarter: where the camera is at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from examples.streets.plan import Plan, Points

NANOSECONDS = 1_000_000_000


def route(
    plan: Plan, crossings: Sequence[tuple[int, int]], lane: float = 1.2, radius: float = 7.0
) -> Points:
    """The way along these neighbouring crossings, as points [K, 2] about 0.25 m apart.

    It keeps `lane` metres to the right of the streets' middle, takes each corner as an arc that
    begins `radius` metres before it, and ends 12 m short of the first and last crossing's middle.
    """
    middle = np.array([plan.crossings[crossing] for crossing in crossings])
    along = np.diff(middle, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    right = np.stack([along[:, 1], -along[:, 0]], axis=1)
    corners = [middle[0] + lane * right[0] + 12 * along[0]]
    for index in range(1, len(along)):
        # where the lanes of the two streets meet
        before, after = middle[index] + lane * right[index - 1], middle[index] + lane * right[index]
        system = np.stack([along[index - 1], -along[index]], axis=1)
        if abs(np.linalg.det(system)) < 0.05:
            corners.append(0.5 * (before + after))
        else:
            corners.append(before + np.linalg.solve(system, after - before)[0] * along[index - 1])
    corners.append(middle[-1] + lane * right[-1] - 12 * along[-1])

    points = [corners[0]]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        first = corner + radius * (before - corner) / np.linalg.norm(before - corner)
        last = corner + radius * (after - corner) / np.linalg.norm(after - corner)
        t = np.linspace(0, 1, 24)[:, None]
        points += list((1 - t) ** 2 * first + 2 * t * (1 - t) * corner + t**2 * last)
    points.append(corners[-1])
    return _even(np.array(points), 0.25)


def _even(points: Points, step: float) -> Points:
    """The same line through points at equal distances of about `step`."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(2, round(length[-1] / step) + 1))
    return np.stack([np.interp(at, length, points[:, axis]) for axis in range(2)], axis=1)


@dataclass(frozen=True)
class Drive:
    """A camera's way through time: knots between which it moves evenly.

    Stamps int64 [K] in nanoseconds, positions float64 [K, 3] in metres in the map frame, headings
    float64 [K] in radians counter-clockwise from east, without jumps of a full turn.
    """

    stamps: NDArray[np.int64]
    positions: NDArray[np.float64]
    headings: NDArray[np.float64]

    @classmethod
    def along(
        cls,
        path: Points,
        start: int,
        speed: float = 5.0,
        lateral: float = 0.0,
        height: float = 1.6,
        seed: int = 0,
    ) -> Drive:
        """Drive along a path [K, 2] from the stamp `start` on.

        The camera keeps `lateral` metres to the left of the path, `height` above the ground;
        the speed (m/s) swings by a tenth and the line by a decimetre, by `seed`.
        """
        rng = np.random.default_rng([seed, 70])
        ahead = np.gradient(path, axis=0)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        phase = rng.uniform(0, 2 * np.pi, 2)
        sway = 0.1 * np.sin(length / 11 + phase[0])
        flat = path + (lateral + sway)[:, None] * left
        steps = np.linalg.norm(np.diff(flat, axis=0), axis=1)
        pace = speed * (1 + 0.1 * np.sin(length / 17 + phase[1]))
        seconds = np.concatenate([[0.0], np.cumsum(steps / (0.5 * (pace[1:] + pace[:-1])))])
        forward = np.gradient(flat, axis=0)
        return cls(
            stamps=start + np.round(seconds * NANOSECONDS).astype(np.int64),
            positions=np.column_stack([flat, np.full(len(flat), height)]),
            headings=np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])),
        )

    def stamps_at(self, rate: float) -> NDArray[np.int64]:
        """Stamps [N] at `rate` per second from the first to the last knot."""
        step = round(NANOSECONDS / rate)
        return np.arange(self.stamps[0], self.stamps[-1] + 1, step, dtype=np.int64)

    def at(self, stamps: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions [N, 3] and headings [N] at stamps [N] within the drive."""
        since = (np.asarray(stamps, np.int64) - self.stamps[0]).astype(float)
        knots = (self.stamps - self.stamps[0]).astype(float)
        positions = np.stack(
            [np.interp(since, knots, self.positions[:, axis]) for axis in range(3)], axis=-1
        )
        return positions, np.interp(since, knots, self.headings)
