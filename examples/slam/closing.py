"""Finding the loops of a drive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.slam.frames import Frame
from examples.slam.track import Poses, Track
from selavpr_core.place_map import ModelInfo, Session
from selavpr_ros.loop_closure import CameraModel, Closure, LoopClosureSettings, LoopDetector
from selavpr_ros.loop_closure.detector import Describe
from selavpr_ros.planar_pose import PlanarPose


class Loops(NamedTuple):
    """What came of a drive.

    stamps: [N] ns, of its keyframes. odometry: [N, 3] at these. closures: between them. rejected:
    candidates that were none, by the verification they failed.
    """

    stamps: NDArray[np.int64]
    odometry: Poses
    closures: list[Closure]
    rejected: Counter[str]


def find_loops(
    frames: Iterable[Frame],
    odometry: Track,
    camera: CameraModel | None,
    describe: Describe,
    model: ModelInfo,
    settings: LoopClosureSettings,
) -> Loops:
    """Do to a drive what loop_closure_node does to a live one.

    odometry: covers all frames. describe, model: a describer, and its entry in a map.
    """
    stamps, closures = [], []
    with Session(model) as session:
        detector = LoopDetector(describe, session, settings)
        for stamp, picture in frames:
            x, y, yaw = odometry.at(stamp).tolist()
            pose = PlanarPose(x, y, 0.0, yaw)
            if not detector.wants(stamp, pose):
                continue
            keyframe = detector.add_keyframe(stamp, pose, picture, camera)
            stamps.append(stamp)
            if keyframe.closure is not None:
                closures.append(keyframe.closure)
    taken = np.array(stamps, np.int64)
    return Loops(taken, odometry.at(taken), closures, detector.rejected)
