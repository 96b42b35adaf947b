"""What a user can choose about loop closure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LoopClosureSettings:
    """Which frames are compared with which, and what a match must pass to close a loop.

    The defaults were chosen on rendered streets and on walks through a building.

    Attributes:
        keyframe_distance: metres of horizontal movement after which a frame becomes a keyframe.
        keyframe_heading: radians of turning after which it does.
        keyframe_seconds: seconds after which it does where no odometry says how far the robot is.
        max_gap: seconds without a frame after which a new stretch begins.
        exclusion_seconds, exclusion_metres: a keyframe is compared with those of its stretch that
            are older than both, the metres along the track. Without odometry, and between
            stretches of one clock, the seconds alone decide.
        similarity_threshold: least similarity of a candidate.
        margin_threshold: by how much a candidate must be more similar than the best one elsewhere
            (see Margins); -2, below which no margin lies, asks nothing.
        max_candidates: distinct places, best first, that are verified until one passes.
        plausibility, consistency, geometry: which verifications a candidate must pass.
        odometry_drift: metres by which odometry may be wrong for each metre along the track.
        odometry_yaw_drift: radians by which its yaw may be wrong for each metre.
        match_distance: metres that two cameras may be apart that see the same place.
        match_angle: radians that they may look another way.
        agreeing: how many of the `agreement_window` keyframes before must have found the
            same surroundings.
        agreement_window: how many keyframes are asked.
        agreement_reach: keyframes by which their matches may lie apart for each keyframe between.
        min_inliers: least number of points that must agree with one epipolar geometry.
        min_coverage: least share of the picture, in both, that those points must spread over.
    """

    keyframe_distance: float = 1.0
    keyframe_heading: float = math.radians(20.0)
    keyframe_seconds: float = 1.0
    max_gap: float = 10.0
    exclusion_seconds: float = 30.0
    exclusion_metres: float = 20.0
    similarity_threshold: float = 0.2
    margin_threshold: float = -2.0
    max_candidates: int = 5
    plausibility: bool = True
    consistency: bool = True
    geometry: bool = True
    odometry_drift: float = 0.05
    odometry_yaw_drift: float = math.radians(0.1)
    match_distance: float = 10.0
    match_angle: float = math.radians(60.0)
    agreeing: int = 1
    agreement_window: int = 3
    agreement_reach: int = 3
    min_inliers: int = 20
    min_coverage: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in (
            "keyframe_distance",
            "keyframe_heading",
            "keyframe_seconds",
            "exclusion_seconds",
            "exclusion_metres",
            "odometry_drift",
            "odometry_yaw_drift",
            "match_distance",
            "match_angle",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative")
        if not self.max_gap > 0:
            raise ValueError("max_gap must be positive")
        if not -1 <= self.similarity_threshold <= 1:
            raise ValueError("similarity_threshold must lie in [-1, 1]")
        if not -2 <= self.margin_threshold <= 2:
            raise ValueError("margin_threshold must lie in [-2, 2]")
        if not 0 <= self.min_coverage <= 1:
            raise ValueError("min_coverage must lie in [0, 1]")
        for name in ("max_candidates", "agreement_window", "agreement_reach", "min_inliers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if not 1 <= self.agreeing <= self.agreement_window:
            raise ValueError("agreeing must lie between 1 and agreement_window")
