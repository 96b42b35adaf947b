"""Loop closure: noticing that the robot is back where it was, without ROS.

A LoopDetector is asked about every frame (`wants`) and given the ones that it wants
(`add_keyframe`); it answers with the closure that it found, and with what it refused and why.
"""

from selavpr_core.camera import CameraModel
from selavpr_ros.loop_closure.candidate import Candidate, Closure, Rejection
from selavpr_ros.loop_closure.detector import Keyframe, LoopDetector
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.loop_closure.stretches import Stretch, StretchReason

__all__ = [
    "CameraModel",
    "Candidate",
    "Closure",
    "Drive",
    "Keyframe",
    "LoopClosureSettings",
    "LoopDetector",
    "Rejection",
    "Stretch",
    "StretchReason",
    "Waypoint",
]
