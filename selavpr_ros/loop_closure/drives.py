"""Where keyframes were taken: stamps, odometry and metres along the track."""

from __future__ import annotations

import math
from array import array
from typing import NamedTuple

from selavpr_ros.loop_closure.stretches import NANOSECONDS, Stretch
from selavpr_ros.planar_pose import PlanarPose


class Drive(NamedTuple):
    """What a picture was taken on: a stretch of this session, or a segment of a loaded map.

    segment: name of the map's segment, None in this session. stretch: its number, 0 in a map.
    """

    segment: str | None
    stretch: int


class Waypoint(NamedTuple):
    """A keyframe of the session, or a place of a map.

    number: of the keyframe or place. stamp: ns. along: metres driven since its drive began (0
    without odometry). pose: in the odometry frame, for a map's place in the map frame, its yaw NaN
    where unknown; None without odometry.
    """

    drive: Drive
    number: int
    stamp: int
    along: float
    pose: PlanarPose | None


class DriveLog:
    """All keyframes of a session; 52 bytes each."""

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []
        self._stretch_of = array("i")
        self._stamps = array("q")
        self._along = array("d")
        self._poses = array("d")  # x, y, z, yaw; NaN without odometry
        self._last_pose: PlanarPose | None = None

    def __len__(self) -> int:
        return len(self._stamps)

    def append(self, stretch: Stretch, stamp: int, pose: PlanarPose | None) -> Waypoint:
        """Add a keyframe; `stretch` is that of the one before, or a newer one."""
        along = 0.0
        if self._stretches and self._stretches[-1] == stretch:
            along = self._along[-1]
            if pose is not None and self._last_pose is not None:
                along += math.dist(pose[:2], self._last_pose[:2])
        else:
            self._stretches.append(stretch)
            self._last_pose = None
        self._last_pose = pose or self._last_pose
        self._stretch_of.append(len(self._stretches) - 1)
        self._stamps.append(stamp)
        self._along.append(along)
        self._poses.extend(pose or [math.nan] * 4)
        return self.waypoint(len(self) - 1)

    def stretch(self, number: int) -> Stretch:
        """Return the stretch of a keyframe."""
        return self._stretches[self._stretch_of[number]]

    def waypoint(self, number: int) -> Waypoint:
        """Return a keyframe."""
        x, y, z, yaw = self._poses[4 * number : 4 * number + 4]
        return Waypoint(
            Drive(None, self.stretch(number).number),
            number,
            self._stamps[number],
            self._along[number],
            None if math.isnan(x) else PlanarPose(x, y, z, yaw),
        )


class ExclusionWindow:
    """Counts the keyframes that a query may be compared with; all of them lie before the others.

    seconds, metres: what a keyframe of the query's stretch must have exceeded, both of them. The
    metres are those along the track, and do not count where one of the two has no odometry.
    Keyframes of an earlier stretch must have exceeded the seconds, or be of another clock.
    """

    def __init__(self, log: DriveLog, seconds: float, metres: float) -> None:
        self._log = log
        self._seconds = seconds
        self._metres = metres
        self._released = 0

    def released(self, query: Waypoint) -> int:
        """Return how many keyframes are outside of the window of `query`, a keyframe of the log.

        Never less than for an earlier query.
        """
        while self._released < query.number and self._outside(self._released, query):
            self._released += 1
        return self._released

    def _outside(self, number: int, query: Waypoint) -> bool:
        before, now = self._log.stretch(number), self._log.stretch(query.number)
        if before.clock != now.clock:
            return True
        keyframe = self._log.waypoint(number)
        if (query.stamp - keyframe.stamp) * NANOSECONDS <= self._seconds:
            return False
        if before != now or query.pose is None or keyframe.pose is None:
            return True
        return query.along - keyframe.along > self._metres
