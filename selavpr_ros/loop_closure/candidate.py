"""What the verification of loop closures works on, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from selavpr_ros.loop_closure.drives import Waypoint
from selavpr_ros.planar_pose import PlanarPose


class Candidate(NamedTuple):
    """A place that looks like a query.

    waypoint: where it is. similarity: cosine. hamming: differing bits; None in mode "float".
    """

    waypoint: Waypoint
    similarity: float
    hamming: int | None


class Verdict(NamedTuple):
    """What one verification says of a candidate.

    passed: whether it may be a closure. evidence: why, as JSON values.
    """

    passed: bool
    evidence: dict[str, Any]


class Rejection(NamedTuple):
    """A candidate that is no closure, and the verification that it failed.

    reason: "similarity" or the name of a verification. evidence: what it found, as JSON values.
    """

    candidate: Candidate
    reason: str
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Closure:
    """Two moments at which the robot was at the same place.

    Attributes:
        match: the earlier keyframe, or the place of the map.
        query: the keyframe that was recognised.
        similarity: cosine of the two.
        hamming: differing bits of their codes; None in mode "float".
        verification: the evidence of each verification that was made, by its name; JSON values.
        margin: similarity minus that of the best candidate elsewhere; None where the match has no
            position.
    """

    match: Waypoint
    query: Waypoint
    similarity: float
    hamming: int | None
    verification: dict[str, dict[str, Any]]
    margin: float | None = None

    @property
    def segment(self) -> str | None:
        """Segment of the loaded map that the match is from; None for this session's own."""
        return self.match.drive.segment

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values; stamps in ns, poses in metres and radians."""
        return {
            "match": _waypoint_json(self.match),
            "query": _waypoint_json(self.query),
            "similarity": self.similarity,
            "hamming": self.hamming,
            "margin": self.margin,
            "verification": self.verification,
        }


def _waypoint_json(waypoint: Waypoint) -> dict[str, Any]:
    return {
        "segment": waypoint.drive.segment,
        "stretch": waypoint.drive.stretch,
        "number": waypoint.number,
        "stamp": waypoint.stamp,
        "pose": None if waypoint.pose is None else _pose_json(waypoint.pose),
    }


def _pose_json(pose: PlanarPose) -> dict[str, float | None]:
    # JSON has no NaN: an unknown yaw is null.
    return {name: value if value == value else None for name, value in pose._asdict().items()}
