"""What a user can choose when a map is built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from selavpr_core.geodesy import Datum


@dataclass(frozen=True)
class MappingSettings:
    """How a bag becomes places. The defaults suit 1 Hz GPS on a car or a walking-pace robot.

    Attributes:
        keyframe_distance: metres of horizontal movement after which a frame is kept; 0 keeps all.
        keyframe_heading: radians of turning after which a frame is kept, where both are known.
        max_gap: seconds that neighbouring fixes around an image may lie apart. 2.5 s bridge one
            missed fix of a 1 Hz receiver.
        max_sigma: metres, horizontal standard deviation above which a fix is not used.
        assumed_sigma: metres, for fixes or poses that do not state their covariance; None takes
            5 m for fixes (a plain receiver under open sky) and 0.5 m for poses.
        max_heading_sigma: radians, standard deviation above which a heading is stored as unknown.
        position_from: topic kind the positions come from; "auto" takes fixes where the bag has
            them (or where the map has a datum), else poses.
        heading_from: topic kind the headings come from in maps with GPS; "auto" takes Odometry,
            else poses, else an IMU, whichever the bag has; "track" only the direction of travel.
        image_topic, fix_topic, pose_topic, imu_topic: names, or None to find them by type.
            The pose topic may be Odometry, PoseStamped or PoseWithCovarianceStamped.
        camera_info_topic: name of the images' CameraInfo, or None for the one beside them.
        rectified: whether the images are rectified though their topic's name does not say so: of
            CameraInfo the matrix P holds then, not K and D.
        datum: origin of a new map's frame; None takes the first good fix.
        thumbnails: whether a small JPEG of each place is stored beside the map.
    """

    keyframe_distance: float = 2.0
    keyframe_heading: float = math.radians(20.0)
    max_gap: float = 2.5
    max_sigma: float = 10.0
    assumed_sigma: float | None = None
    max_heading_sigma: float = math.radians(30.0)
    position_from: Literal["auto", "fix", "pose"] = "auto"
    heading_from: Literal["auto", "pose", "imu", "track"] = "auto"
    image_topic: str | None = None
    fix_topic: str | None = None
    pose_topic: str | None = None
    imu_topic: str | None = None
    camera_info_topic: str | None = None
    rectified: bool = False
    datum: Datum | None = None
    thumbnails: bool = True

    def __post_init__(self) -> None:
        """Refuse what no bag can satisfy."""
        for name in ("keyframe_distance", "keyframe_heading"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative")
        for name in ("max_gap", "max_sigma", "max_heading_sigma"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive")
        if self.assumed_sigma is not None and not 0 < self.assumed_sigma < math.inf:
            raise ValueError("assumed_sigma must be positive")
