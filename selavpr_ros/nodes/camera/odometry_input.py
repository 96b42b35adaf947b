"""Odometry messages as stamped poses, and what is wrong with those that cannot be used."""

from __future__ import annotations

import time
from collections.abc import Callable

from nav_msgs.msg import Odometry

from selavpr_ros.nodes.ros.messages import planar_pose, stamp_nanoseconds
from selavpr_ros.planar_pose import PlanarPose


class OdometryInput:
    """Hands on the poses of odometry messages that a node can use; for the executor's thread.

    Attributes:
        problem: why the last message was not used, in one line; None where it was.
        heard: when the last one came that was used, by time.monotonic(); None before the first.
    """

    def __init__(
        self, check: Callable[[str, str], None], take: Callable[[int, PlanarPose], None]
    ) -> None:
        """Nothing has been heard yet.

        Args:
            check: asked about the frame of a pose and the child frame; raises ValueError, which
                says what is wrong with them, where the pose is not to be used.
            take: is given the stamp (ns) and the pose of every message that can be used.
        """
        self._check = check
        self._take = take
        self.problem: str | None = None
        self.heard: float | None = None

    def hear(self, message: Odometry) -> None:
        """Take in a message."""
        try:
            # One pose that is none would make all that follows from it nan.
            pose = planar_pose(message.pose.pose)
            self._check(message.header.frame_id, message.child_frame_id)
        except ValueError as error:
            self.problem = f"odometry cannot be used: {error}"
            return
        self.problem = None
        self.heard = time.monotonic()
        self._take(stamp_nanoseconds(message.header.stamp), pose)
