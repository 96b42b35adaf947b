"""Odometry at an image's stamp."""

from __future__ import annotations

import math
import threading
from collections import deque

from selavpr_core.place_filter import FilterSettings
from selavpr_ros.planar_pose import PlanarPose

KEPT = 10_000_000_000  # ns of odometry that are remembered: longer than any inference takes
WIDEST_GAP = 1_000_000_000  # ns between two odometry messages that may be interpolated across
CARRIED_ON = 500_000_000  # ns after the newest pose for which it is guessed how the motion went on
ASSUMED = FilterSettings()  # of what odometry says, too: how fast a robot may be


class OdometryBuffer:
    """The last seconds of odometry, to be asked for the pose at a stamp (ns), by any thread.

    Attributes:
        jumps: how often odometry jumped: from one message to the next farther than at 60 m/s. What
            was before is forgotten then, for it is in another place, or another frame.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._jumped = ""
        self._jumped_at = 0
        self._lock = threading.RLock()
        self._entries: deque[tuple[int, PlanarPose]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything but the number of jumps, as after a jump of time."""
        with self._lock:
            self._entries.clear()
            self._jumped = ""

    def add(self, stamp: int, pose: PlanarPose) -> bool:
        """Remember a pose and tell whether odometry jumped to it.

        A stamp before the last one means that time jumped back: start anew.
        """
        with self._lock:
            jumped = False
            if self._entries and stamp < self._entries[-1][0]:
                self.clear()
            elif self._entries:
                before, last = self._entries[-1]
                seconds, metres = (stamp - before) / 1e9, math.dist(last[:2], pose[:2])
                jumped = ASSUMED.jumped(metres, seconds)
                if jumped:
                    self._entries.clear()
                    self.jumps += 1
                    self._jumped = f"odometry jumped by {metres:.1f} m within {seconds:.2f} s"
                    self._jumped_at = stamp
            self._entries.append((stamp, pose))
            while self._entries[0][0] < stamp - KEPT:
                self._entries.popleft()
            return jumped

    @property
    def jump(self) -> str | None:
        """The last jump, in one line; None where there was none in the last ten seconds."""
        with self._lock:
            newest = self.newest
            if not self._jumped or newest is None or newest - self._jumped_at > KEPT:
                return None
            return self._jumped

    @property
    def newest(self) -> int | None:
        """Stamp of the newest pose; None when there is none."""
        with self._lock:
            return self._entries[-1][0] if self._entries else None

    def at(self, stamp: int) -> PlanarPose | None:
        """Pose at `stamp`, interpolated between its neighbours; None where they do not reach.

        Nothing is extrapolated, and nothing is interpolated across more than a second.
        """
        with self._lock:
            for index in range(len(self._entries) - 1, -1, -1):
                before, pose = self._entries[index]
                if before == stamp:
                    return pose
                if before < stamp:
                    if index + 1 == len(self._entries):
                        return None
                    after, next_pose = self._entries[index + 1]
                    if after - before > WIDEST_GAP:
                        return None
                    return _interpolate(pose, next_pose, (stamp - before) / (after - before))
            return None

    def guess_at(self, stamp: int) -> PlanarPose | None:
        """Pose at `stamp`, as `at`; up to half a second after the newest pose, a guess.

        The newest pose is carried on by the motion of as long a time before it.
        """
        with self._lock:
            newest = self.newest
            if newest is None or stamp <= newest:
                return self.at(stamp)
            if stamp - newest > CARRIED_ON:
                return None
            last = self._entries[-1][1]
            before = self.at(2 * newest - stamp)
            return last if before is None else _interpolate(before, last, 2.0)


def _interpolate(start: PlanarPose, end: PlanarPose, share: float) -> PlanarPose:
    """Pose a `share` of the way from start to end; the yaw takes the shorter way round.

    A share above 1 lies beyond the end.
    """
    turn = math.remainder(end.yaw - start.yaw, math.tau)
    return PlanarPose(
        start.x + share * (end.x - start.x),
        start.y + share * (end.y - start.y),
        start.z + share * (end.z - start.z),
        math.remainder(start.yaw + share * turn, math.tau),
    )
