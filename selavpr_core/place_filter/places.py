"""The map as the filter sees it: places with the area that each stands for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.place_filter.hypotheses import wrapped
from selavpr_core.place_filter.neighbours import Neighbours

Array = NDArray[np.float64]

VIEW_OFFSET = 1.5  # m that a camera may drive beside the mapped track and see the same
VIEW_SIGMA = math.radians(20.0)  # a match looks up to 40 degrees another way: two sigma
GUESSED_YAW_SIGMA = 1.0  # rad, of a place that looks along its track for all we know
UNKNOWN_YAW_SIGMA = 2.0  # rad; nothing is left of a direction then
LARGEST_GAP = 50.0  # m; farther apart, two places of a drive are not neighbours
_CHUNK = 1000  # places at once


class Places:
    """Where places are, how they look, and how large the area is that each stands for.

    Attributes, N places: positions `[N, 3]` metres; yaws `[N]` radians in [-pi, pi], where unknown
    the direction of the track or 0; yaw_sigmas `[N]` of these; looks `[N]` bool, whether the
    heading is known; along `[N, 2, 2]`, the part of a planar vector that lies along the track as a
    projection, half of the unit matrix where the track has no direction;
    reaches `[N]` metres, one sigma of the area in which the place is seen, typical_reach the middle
    one of these; halves `[N]` metres,
    half the gap to the next place of the drive; sigmas `[N]` metres, of the positions; shares
    `[N]`, one over the number of places that show the same: they sum up to the number of distinct
    places, `distinct`.
    """

    def __init__(
        self,
        positions: ArrayLike,
        headings: ArrayLike,
        starts: ArrayLike,
        position_sigmas: ArrayLike | None = None,
        heading_sigmas: ArrayLike | None = None,
    ) -> None:
        self.positions = np.array(positions, np.float64).reshape(-1, 3)
        count = len(self.positions)
        yaws = wrapped(np.array(headings, np.float64).reshape(-1))
        if len(yaws) != count:
            raise ValueError(f"{len(yaws)} headings for {count} positions")
        first = np.zeros(count, bool)
        beginnings = np.asarray(starts, np.int64).reshape(-1)
        if len(beginnings) and not 0 <= beginnings.min() <= beginnings.max() < max(count, 1):
            raise ValueError(f"segments start at {beginnings.tolist()} in a map of {count} places")
        first[beginnings[beginnings < count]] = True
        first[:1] = True
        gaps, directions = _along_tracks(self.positions, first)
        self.looks = np.isfinite(yaws)
        guessed = ~self.looks & np.isfinite(directions)
        self.along = _projections(directions)
        self.yaws = np.where(self.looks, yaws, np.where(guessed, directions, 0.0))
        self.yaw_sigmas = np.where(
            self.looks,
            np.maximum(_filled(heading_sigmas, count, 0.0), 0.0),
            np.where(guessed, GUESSED_YAW_SIGMA, UNKNOWN_YAW_SIGMA),
        )
        self.halves = 0.5 * gaps
        self.reaches = np.sqrt((0.75 * gaps) ** 2 + VIEW_OFFSET**2)
        self.sigmas = _filled(position_sigmas, count, 0.0)
        self.typical_reach = float(np.median(self.reaches)) if count else 1.0
        self.neighbours = Neighbours(self.positions[:, :2], 4.0 * self.typical_reach)
        self.shares = self._shares()
        self.distinct = max(float(self.shares.sum()), 1.0)

    def __len__(self) -> int:
        return len(self.positions)

    def _shares(self) -> Array:
        totals = np.ones(len(self))
        for start in range(0, len(self), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(self)))
            numbers, others = self.neighbours.around(self.positions[rows, :2])
            mine = rows[numbers]
            offsets = self.positions[mine, :2] - self.positions[others, :2]
            squared = (offsets**2).sum(axis=1) / self.reaches[others] ** 2
            turns = wrapped(self.yaws[mine] - self.yaws[others]) / VIEW_SIGMA
            squared += np.where(self.looks[mine] & self.looks[others], turns**2, 0.0)
            totals[rows] = np.bincount(numbers, np.exp(-0.5 * squared), len(rows))
        return 1.0 / np.maximum(totals, 1.0)


def _along_tracks(positions: Array, first: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Gaps (metres) to the neighbours along each drive, the wider one, and directions (radians).

    first: `[N]`, where a drive begins. A direction is nan where a place has no neighbour.
    """
    count = len(positions)
    steps = np.diff(positions[:, :2], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    joined = ~first[1:] & (lengths > 0.0) & (lengths <= LARGEST_GAP)
    before, after = np.full(count, np.nan), np.full(count, np.nan)
    before[1:][joined] = lengths[joined]
    after[:-1][joined] = lengths[joined]
    usual = float(np.median(lengths[joined])) if joined.any() else 2.0
    gaps = np.fmax(before, after)
    ways = np.zeros((count, 2))
    ways[1:][joined] += steps[joined]
    ways[:-1][joined] += steps[joined]
    moving = np.isfinite(gaps) & (np.abs(ways).max(axis=1, initial=0.0) > 0.0)
    directions = np.where(moving, np.arctan2(ways[:, 1], ways[:, 0]), np.nan)
    return np.where(np.isfinite(gaps), gaps, usual), directions


def _projections(directions: Array) -> Array:
    """`[N, 2, 2]` of directions [N] (radians), half of the unit matrix where one is nan."""
    known = np.isfinite(directions)
    angles = np.where(known, directions, 0.0)
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    projections: Array = np.where(
        known[:, None, None], ways[:, :, None] * ways[:, None, :], 0.5 * np.eye(2)
    )
    return projections


def _filled(values: ArrayLike | None, count: int, missing: float) -> Array:
    if values is None:
        return np.full(count, missing)
    array = np.array(values, np.float64).reshape(-1)
    if len(array) != count:
        raise ValueError(f"{len(array)} sigmas for {count} places")
    return np.where(np.isfinite(array), array, missing)
