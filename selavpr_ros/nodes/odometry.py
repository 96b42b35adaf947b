"""Odometry at an image's stamp, and the map -> odom correction that follows from a pose.

The map and the odometry frame both stand upright (REP-103, REP-105), so the correction turns about
z only; roll and pitch of the robot stay what odometry says they are.
"""

from __future__ import annotations

import math
import threading
from collections import deque

from selavpr_ros.planar_pose import PlanarPose

KEPT = 10_000_000_000  # ns of odometry that are remembered: longer than any inference takes
WIDEST_GAP = 1_000_000_000  # ns between two odometry messages that may be interpolated across
CARRIED_ON = 500_000_000  # ns after the newest pose for which it is guessed how the motion went on


class OdometryBuffer:
    """The last seconds of odometry, to be asked for the pose at a stamp (ns), by any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: deque[tuple[int, PlanarPose]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything, as after a jump of time."""
        with self._lock:
            self._entries.clear()

    def add(self, stamp: int, pose: PlanarPose) -> None:
        """Remember a pose; a stamp before the last one means that time jumped back: start anew."""
        with self._lock:
            if self._entries and stamp < self._entries[-1][0]:
                self._entries.clear()
            self._entries.append((stamp, pose))
            while self._entries[0][0] < stamp - KEPT:
                self._entries.popleft()

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


def map_to_odom(in_map: PlanarPose, in_odom: PlanarPose) -> PlanarPose:
    """Transform map -> odom, given one and the same pose in both frames: in_map * in_odom^-1.

    A point p of the odometry frame lies at R(yaw) p + (x, y, z) in the map frame.
    """
    yaw = math.remainder(in_map.yaw - in_odom.yaw, math.tau)
    cos, sin = math.cos(yaw), math.sin(yaw)
    return PlanarPose(
        in_map.x - (cos * in_odom.x - sin * in_odom.y),
        in_map.y - (sin * in_odom.x + cos * in_odom.y),
        in_map.z - in_odom.z,
        yaw,
    )


class OdomCorrection:
    """The latest map -> odom, from poses in the map and the odometry around their stamps.

    A pose usually arrives before the odometry message that follows its image: it waits for it.
    odometry: what it was told, for any thread to ask; all else is for one thread.
    """

    def __init__(self) -> None:
        self.odometry = OdometryBuffer()
        self._waiting: tuple[int, PlanarPose] | None = None
        self.current: PlanarPose | None = None
        self.problem: str | None = "no odometry yet"

    @property
    def newest(self) -> int | None:
        """Stamp of the newest odometry in ns; None when there is none."""
        return self.odometry.newest

    def reset(self) -> None:
        """Forget everything, as after a jump of time or a change of map."""
        self.odometry.clear()
        self.forget()

    def forget(self) -> None:
        """Forget the correction but keep the odometry."""
        self._waiting = None
        self.current = None
        self.problem = "no pose yet" if len(self.odometry) else "no odometry yet"

    def add_odometry(self, stamp: int, pose: PlanarPose) -> None:
        """Take in the robot's pose in the odometry frame at a stamp (ns)."""
        newest = self.odometry.newest
        if newest is not None and stamp < newest:
            self.forget()  # the recording or the simulation began again: the robot is elsewhere
        self.odometry.add(stamp, pose)
        if self._waiting is None and self.current is None and self.problem == "no odometry yet":
            self.problem = "no pose yet"
        self._correct()

    def add_pose(self, stamp: int, pose: PlanarPose) -> None:
        """Take in the robot's pose in the map at an image's stamp (ns); yaw nan where unknown."""
        if math.isnan(pose.yaw):
            self.problem = "the matched place has no heading"
            return
        self._waiting = (stamp, pose)
        self._correct()

    def _correct(self) -> None:
        if self._waiting is None:
            return
        stamp, pose = self._waiting
        in_odom = self.odometry.at(stamp)
        if in_odom is not None:
            self.current, self.problem, self._waiting = map_to_odom(pose, in_odom), None, None
            return
        newest = self.odometry.newest
        if newest is None:
            self.problem = "no odometry yet"
        elif newest > stamp:
            self.problem = "no odometry around the image's stamp"
            self._waiting = None
        elif self.current is None:
            self.problem = "no odometry after the image's stamp yet"
