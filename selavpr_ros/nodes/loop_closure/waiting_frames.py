"""Frames that wait for the odometry around their stamp, which mostly comes after them."""

from __future__ import annotations

from collections import deque
from typing import Generic, NamedTuple, TypeVar

from selavpr_ros.nodes.camera.odometry import OdometryBuffer
from selavpr_ros.planar_pose import PlanarPose

T = TypeVar("T")

LONGEST_WAIT = 0.5  # s
MOST_WAITING = 5  # frames


class PosedFrame(NamedTuple, Generic[T]):
    """A frame with its stamp (ns) and the robot's pose in the odometry frame, None without.

    run: number of the run of odometry; where it jumps, another one begins.
    """

    stamp: int
    pose: PlanarPose | None
    item: T
    run: int = 0


class _Waiting(NamedTuple, Generic[T]):
    stamp: int
    item: T
    since: float


class WaitingFrames(Generic[T]):
    """Gives frames their odometry, in the order they came; for one thread.

    A frame waits half a second at most. Without odometry around its stamp it is let go, unless
    none has been heard for `timeout` seconds: then frames come without a pose. So a session does
    not have the odd place whose position nobody knows. `now` is in seconds of a monotonic clock.

    Attributes:
        odometry: for those who ask for poses.
        without: frames that were let go.
    """

    def __init__(self, timeout: float, now: float, run: int = 0) -> None:
        """run: number of the run that odometry goes on with."""
        self.odometry = OdometryBuffer()
        self.without = 0
        self._first_run = run
        self._timeout = timeout
        self._heard = now
        self._waiting: deque[_Waiting[T]] = deque()

    def silence(self, now: float) -> float:
        """Seconds since odometry was heard, or since the beginning."""
        return now - self._heard

    def silent(self, now: float) -> bool:
        """Whether that is so long that frames are taken without it."""
        return self.silence(now) >= self._timeout

    @property
    def run(self) -> int:
        """Number of the run of odometry."""
        return self._first_run + self.odometry.jumps

    def add_odometry(self, stamp: int, pose: PlanarPose, now: float) -> bool:
        """Take in where odometry has the robot at a stamp (ns); tell whether it jumped there."""
        self._heard = now
        return self.odometry.add(stamp, pose)

    def add(self, stamp: int, item: T, now: float) -> None:
        """Let a frame wait."""
        self._waiting.append(_Waiting(stamp, item, now))

    def clear(self) -> None:
        """Forget all frames and odometry, as after a jump of time."""
        self._waiting.clear()
        self.odometry.clear()

    def take(self, now: float) -> list[PosedFrame[T]]:
        """Return the frames that need not wait any longer."""
        ready: list[PosedFrame[T]] = []
        while self._waiting:
            stamp, item, since = self._waiting[0]
            pose, newest = self.odometry.at(stamp), self.odometry.newest
            passed = newest is not None and newest >= stamp
            late = now - since >= LONGEST_WAIT or len(self._waiting) > MOST_WAITING
            if pose is None and not passed and not late:
                break
            self._waiting.popleft()
            if pose is not None or self.silent(now):
                ready.append(PosedFrame(stamp, pose, item, self.run))
            else:
                self.without += 1
        return ready
