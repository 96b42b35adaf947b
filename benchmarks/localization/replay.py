"""Drives replayed against a map, with the filter and without, and the figures of both."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_filter import Motion, PlaceFilter
from selavpr_ros.nodes.localization.pose_estimate import estimate_pose

Array = NDArray[np.float64]
Look = tuple[NDArray[np.int64], Array]  # places and their similarities, best first

FALSE = 25.0  # m, the field's convention for another place
REGION = 5.991  # 95 % of a chi-squared variable of two degrees of freedom
THRESHOLD = 0.5  # the node's
ON_MAP = (10.0, math.radians(45.0))


class Place(NamedTuple):
    """The map: positions `[N, 3]` m, headings `[N]` rad, first place of each segment.

    sigmas: `[N]` m, one horizontal sigma of the positions as the map states it; None: unknown.
    """

    positions: Array
    headings: Array
    starts: list[int]
    sigmas: Array | None = None

    def new_filter(self) -> PlaceFilter:
        """A filter that knows nothing yet."""
        return PlaceFilter(self.positions, self.headings, self.starts, position_sigmas=self.sigmas)


class Drive(NamedTuple):
    """True poses, positions `[F, 3]` and headings `[F]`, odometry (x, y, yaw) and seconds `[F]`."""

    positions: Array
    headings: Array
    odometry: list[tuple[float, float, float]] | None
    seconds: Array

    def motion(self, frame: int) -> Motion | None:
        """Odometry since the frame before; None for the first or without odometry."""
        if self.odometry is None or frame == 0:
            return None
        return Motion.between(self.odometry[frame - 1], self.odometry[frame])

    def every(self, step: int) -> Drive:
        """The same drive at a lower rate: one frame of each `step`."""
        odometry = None if self.odometry is None else self.odometry[::step]
        return Drive(self.positions[::step], self.headings[::step], odometry, self.seconds[::step])


class Answers(NamedTuple):
    """One answer a frame `[F]`: whether published, its error in metres, and squared in sigmas.

    probabilities: stated by the filter; NaN of a single image, which states none.
    """

    published: NDArray[np.bool_]
    errors: Array
    distances: Array
    probabilities: Array
    costs: Array  # seconds


def with_filter(place: Place, drive: Drive, look: Callable[[int], Look]) -> Answers:
    """Replay a drive; `look` gives what image retrieval says of a frame."""
    following = place.new_filter()
    rows = []
    for frame in range(len(drive.positions)):
        places, similarities = look(frame)
        motion = drive.motion(frame)
        seconds = drive.seconds[frame] - drive.seconds[frame - 1] if frame else 0.0
        started = time.perf_counter()
        belief = following.update(places, similarities, motion, seconds)
        cost = time.perf_counter() - started
        rows.append(
            (
                belief.state == "localised",
                *_misses(belief.position, belief.covariance, drive.positions[frame]),
                belief.probability,
                cost,
            )
        )
    return _answers(rows)


def without_filter(place: Place, drive: Drive, look: Callable[[int], Look]) -> Answers:
    """The same by each image alone, as the node does it."""
    rows = []
    steps = np.linalg.norm(np.diff(place.positions, axis=0), axis=1)
    for frame, true in enumerate(drive.positions):
        places, similarities = look(frame)
        started = time.perf_counter()
        estimate = estimate_pose(
            similarities, place.positions[places], place.headings[places], 0.5, 0.05,
            float(steps[min(int(places[0]), len(steps) - 1)]),
        )  # fmt: skip
        cost = time.perf_counter() - started
        published = bool(similarities[0] >= THRESHOLD)
        misses = _misses(estimate.position, estimate.covariance, true)
        rows.append((published, *misses, math.nan, cost))
    return _answers(rows)


def _misses(position: Array, covariance: Array, true: Array) -> tuple[float, float]:
    offset = position[:2] - true[:2]
    if not np.isfinite(offset).all():
        return math.nan, math.nan
    squared = float(offset @ np.linalg.solve(covariance[:2, :2], offset))
    return float(np.hypot(*offset)), squared


def _answers(rows: list[tuple[bool, float, float, float, float]]) -> Answers:
    return Answers(*(np.array(column) for column in zip(*rows, strict=True)))


def pooled(answers: Sequence[Answers]) -> Answers:
    """The answers of several drives as those of one."""
    return Answers(*(np.concatenate(column) for column in zip(*answers, strict=True)))


def on_map(place: Place, drive: Drive) -> NDArray[np.bool_]:
    """Which frames `[F]` show mapped ground."""
    offsets = drive.positions[:, None, :2] - place.positions[None, :, :2]
    turns = np.angle(np.exp(1j * (drive.headings[:, None] - place.headings[None, :])))
    near = (np.hypot(offsets[..., 0], offsets[..., 1]) <= ON_MAP[0]) & (np.abs(turns) <= ON_MAP[1])
    mapped: NDArray[np.bool_] = near.any(axis=1)
    return mapped


def figures(answers: Answers, mapped: NDArray[np.bool_]) -> dict[str, float | int | None]:
    """Share localised, errors, false poses, their probability and coverage, as JSON values."""
    published = answers.published
    errors = answers.errors[published]
    stated = answers.probabilities[published]
    right = published & (answers.errors <= FALSE)
    return {
        "frames": len(published),
        "mapped": int(mapped.sum()),
        "localised": _ratio(int((published & mapped).sum()), int(mapped.sum())),
        "published": int(published.sum()),
        "median": float(np.median(errors)) if len(errors) else None,
        "p95": float(np.quantile(errors, 0.95)) if len(errors) else None,
        "false": int((errors > FALSE).sum()),
        "right": _ratio(int(right.sum()), int(published.sum())),
        "stated": float(stated.mean()) if np.isfinite(stated).any() else None,
        "covered": _ratio(int((answers.distances[right] <= REGION).sum()), int(right.sum())),
        "covered_of_all": _ratio(
            int((answers.distances[published] <= REGION).sum()), int(published.sum())
        ),
        "milliseconds": 1e3 * float(np.median(answers.costs)),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
