"""Stretches: parts of a recording within which time and odometry run on without a break."""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple

NANOSECONDS = 1e-9

OUT_OF_ORDER = 1_000_000_000
"""Nanoseconds that a frame may be older than the newest for it to be late, and time to go on."""


class StretchReason(Enum):
    """Why a stretch began."""

    FIRST = "first"
    GAP = "gap"
    JUMP_BACK = "jump_back"
    ODOMETRY_JUMP = "odometry_jump"


class Stretch(NamedTuple):
    """A part of the recording, from its first frame on.

    number: from 0. reason: why it began. seconds: from the last frame before it to its first,
    negative where time jumped back, 0 for the first. clock: counts the jumps back: stamps can be
    compared between stretches of one clock only.
    """

    number: int
    reason: StretchReason
    seconds: float
    clock: int


class Stretches:
    """Follows the stamps of all frames, and the runs of odometry.

    Attributes:
        current: the stretch of the newest frame; None before the first frame.
    """

    def __init__(self, max_gap: float) -> None:
        """max_gap: seconds without a frame after which a new stretch begins."""
        self.current: Stretch | None = None
        self._max_gap = max_gap
        self._newest = 0
        self._run: int | None = None

    def see(self, stamp: int, run: int | None = None) -> Literal["same", "new", "late"]:
        """Take the stamp (ns) of a frame; tell whether it begins a stretch or came too late.

        A frame that is late by no more than a second was overtaken on its way, and changes
        nothing. run: number of the run of odometry, which is another one where that has jumped;
        None where nothing is known of it.
        """
        before = self.current
        if before is None:
            self.current = Stretch(0, StretchReason.FIRST, 0.0, 0)
            self._newest, self._run = stamp, run
            return "new"
        step = stamp - self._newest
        if -OUT_OF_ORDER <= step < 0:
            return "late"
        jumped = run is not None and self._run is not None and run != self._run
        self._newest, self._run = stamp, self._run if run is None else run
        seconds = step * NANOSECONDS
        if step < 0:
            reason, clock = StretchReason.JUMP_BACK, before.clock + 1
        elif seconds > self._max_gap:
            reason, clock = StretchReason.GAP, before.clock
        elif jumped:
            reason, clock = StretchReason.ODOMETRY_JUMP, before.clock
        else:
            return "same"
        self.current = Stretch(before.number + 1, reason, seconds, clock)
        return "new"
