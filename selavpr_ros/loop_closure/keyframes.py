"""Which frames become keyframes."""

from __future__ import annotations

import numpy as np

from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.loop_closure.stretches import NANOSECONDS
from selavpr_ros.mapping.keyframes import KeyframeSelector
from selavpr_ros.planar_pose import PlanarPose


class KeyframeGate:
    """Keeps a frame when the robot has moved or turned far enough since the last one kept.

    Where one of the two has no odometry, time decides.
    """

    def __init__(self, settings: LoopClosureSettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget the last keyframe: the next frame is one."""
        self._selector = KeyframeSelector(
            self._settings.keyframe_distance, self._settings.keyframe_heading
        )
        self._stamp: int | None = None
        self._had_pose = False

    def wants(self, stamp: int, pose: PlanarPose | None) -> bool:
        """Tell whether a frame at `stamp` (ns) and `pose` in the odometry frame is to be kept."""
        if self._stamp is None:
            return True
        if pose is None or not self._had_pose:
            seconds = (stamp - self._stamp) * NANOSECONDS
            return seconds >= self._settings.keyframe_seconds
        return self._selector.wants(np.array(pose[:3]), pose.yaw)

    def keep(self, stamp: int, pose: PlanarPose | None) -> None:
        """Note that a frame was kept: the next ones are compared with it."""
        self._stamp = stamp
        self._had_pose = pose is not None
        if pose is not None:
            self._selector.keep(np.array(pose[:3]), pose.yaw)
