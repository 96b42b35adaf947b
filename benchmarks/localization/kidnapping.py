"""Robots that are carried elsewhere without noticing: driven on there, or left standing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.localization.replay import FALSE, Array, Drive, Look, Place
from selavpr_core.place_filter import Belief, Motion, PlaceFilter

FOUND = 10.0  # m from the truth: found again
STILL = Motion.between((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


class Kidnapping(NamedTuple):
    """Frames after which a right pose came, None where none did, and false poses before it."""

    found_after: int | None
    false: int


class LeftStanding(NamedTuple):
    """What became of the place that a robot was carried away from.

    published: looks in which its pose was still published. given_up_after: looks until it had less
    than half of the probability; None where it never came to that. here: whether the likeliest
    place of the last look is where the robot stands.
    """

    published: int
    given_up_after: int | None
    here: bool


def kidnapped(
    place: Place, drive: Drive, look: Callable[[int], Look], leaves: int, arrives: int, most: int
) -> Kidnapping:
    """Carry the camera from one frame of a drive to another; odometry does not notice.

    The drive is followed for `most` frames before and after.
    """
    following = _followed(place, drive, look, leaves, most)
    false = 0
    after = range(arrives, min(arrives + most, len(drive.positions)))
    for number, frame in enumerate(after):
        motion = drive.motion(frame) if number else STILL
        belief = following.update(*look(frame), motion, _step(drive))
        if belief.state != "localised":
            continue
        error = _error(belief, drive.positions[frame])
        if error <= FOUND:
            return Kidnapping(number + 1, false)
        false += error > FALSE
    return Kidnapping(None, false)


def left_standing(
    place: Place,
    drive: Drive,
    look: Callable[[int], Look],
    leaves: int,
    most: int,
    seen: Sequence[Look],
    stands: Array,
) -> LeftStanding:
    """Carry the camera away from a frame of a drive, to where it only stands.

    The drive is followed for `most` frames before; seen: all looks from where it is put, and
    stands: `[3]` metres, where that is.
    """
    following = _followed(place, drive, look, leaves, most)
    published, given_up_after, here = 0, None, False
    for number, one in enumerate(seen, 1):
        belief = following.update(*one, STILL, _step(drive))
        here = _error(belief, stands) <= FOUND
        published += belief.state == "localised" and not here
        if given_up_after is None and (here or belief.state == "lost"):
            given_up_after = number
    return LeftStanding(published, given_up_after, here)


def _followed(
    place: Place, drive: Drive, look: Callable[[int], Look], leaves: int, most: int
) -> PlaceFilter:
    """A filter that has followed a drive for the `most` frames before one."""
    following = place.new_filter()
    for number, frame in enumerate(range(max(0, leaves - most), leaves)):
        motion = drive.motion(frame) if number else None
        following.update(*look(frame), motion, _step(drive) if number else 0.0)
    return following


def _step(drive: Drive) -> float:
    return float(drive.seconds[1] - drive.seconds[0])


def _error(belief: Belief, true: Array) -> float:
    return float(np.hypot(*(belief.position - true)[:2]))
