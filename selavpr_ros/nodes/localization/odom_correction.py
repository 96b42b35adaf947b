"""The map -> odom correction that follows from a pose in the map and the odometry around its stamp.

The map and the odometry frame both stand upright (REP-103, REP-105), so the correction turns about
z only; roll and pitch of the robot stay what odometry says they are.
"""

from __future__ import annotations

import math

from selavpr_ros.nodes.camera.odometry import OdometryBuffer
from selavpr_ros.planar_pose import PlanarPose


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

    def add_odometry(self, stamp: int, pose: PlanarPose) -> bool:
        """Take in the robot's pose in the odometry frame at a stamp (ns); tell if it jumped there.

        The correction of before does not hold after a jump.
        """
        newest = self.odometry.newest
        if newest is not None and stamp < newest:
            self.forget()  # the recording or the simulation began again: the robot is elsewhere
        jumped = self.odometry.add(stamp, pose)
        if jumped:
            self.forget()
        if self._waiting is None and self.current is None and self.problem == "no odometry yet":
            self.problem = "no pose yet"
        self._correct()
        return jumped

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
