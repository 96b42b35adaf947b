"""Following the robot from image to image: the filter over places, fed by matches and odometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selavpr_core.place_filter import Belief, Motion, PlaceFilter
from selavpr_ros.planar_pose import PlanarPose

if TYPE_CHECKING:  # it imports torch, which only a node that is configured pays for
    from selavpr_core.place_map import PlaceMap
    from selavpr_core.retrieval.localizer import Match


class Follower:
    """Takes in the frames of one drive through a map, one by one; for one thread at a time.

    It begins anew where the node forgot what it knew, and where stamps jump back: the robot may be
    anywhere then.
    """

    def __init__(self, place_map: PlaceMap) -> None:
        """Prepare for a map with at least one place."""
        self._filter = PlaceFilter(
            place_map.positions,
            place_map.headings,
            [places.start for _, places in place_map.numbered_segments()],
            position_sigmas=place_map.position_sigmas,
            heading_sigmas=place_map.heading_sigmas,
        )
        self.begin()

    def begin(self) -> None:
        """Forget everything; frames are numbered from 1 again."""
        self._filter.reset()
        self._number = 0
        self._stamp: int | None = None
        self._odometry: PlanarPose | None = None
        self._run = 0

    def follow(
        self,
        number: int,
        forgotten: int,
        stamp: int,
        matches: list[Match],
        odometry: PlanarPose | None,
        run: int = 0,
    ) -> Belief:
        """Take in a frame and return where the robot is.

        Args:
            number: of the frame, larger than that of the last.
            forgotten: number of the last frame that no longer counts. Such a frame still adds to
                what was known before, which the first frame after it begins without.
            stamp: ns, when the image was taken.
            matches: the map's answer to it.
            odometry: the robot's pose in the odometry frame then; None where nothing tells.
            run: how often odometry had jumped: between two runs it says nothing of the motion.
        """
        jumped = self._stamp is not None and stamp < self._stamp
        if jumped or self._number <= forgotten < number:
            self.begin()
        seconds = 0.0 if self._stamp is None else (stamp - self._stamp) / 1e9
        motion = None
        if self._odometry is not None and odometry is not None and run == self._run:
            motion = Motion.between(_planar(self._odometry), _planar(odometry))
        self._number, self._stamp, self._odometry, self._run = number, stamp, odometry, run
        return self._filter.update(
            np.array([match.place for match in matches]),
            np.array([match.similarity for match in matches]),
            motion,
            seconds,
        )


def _planar(pose: PlanarPose) -> tuple[float, float, float]:
    return pose.x, pose.y, pose.yaw
