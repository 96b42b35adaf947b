"""Odometry plausibility: whether the robot can be back where a candidate was seen."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

WITNESSES = 5
"""Closures between the same two drives that a new one is compared with."""

_VIEW_ERROR = math.sin(math.radians(15.0))
"""Of the turn between two frames, told from one closure alone: cameras do not look quite alike."""


class Offset(NamedTuple):
    """How far a candidate lies from where it should, and how far it may: metres and radians."""

    distance: float
    allowed: float
    turn: float
    allowed_turn: float

    @property
    def plausible(self) -> bool:
        """Whether both are within what is allowed; an unknown turn (NaN) is."""
        return self.distance <= self.allowed and not self.turn > self.allowed_turn


class Plausibility:
    """Compares odometry at the two ends of a candidate, and with the closures before.

    Within a stretch the odometry poses of both must be as near as drift allows: an error that grows
    with the metres driven between. Over a long drive that allows much; so the last closures
    between the same two drives are witnesses: from their ends, odometry leads to the ends of the
    candidate, mostly over a far shorter way. At least half of them must agree. Between drives
    without a common odometry frame, the witnesses alone decide.

    A candidate that everything but the witnesses speaks for becomes a witness as well: had a wrong
    closure been accepted, right ones would outvote it.
    """

    def __init__(self, settings: LoopClosureSettings) -> None:
        self._settings = settings
        # The last ones by the drives that they join.
        self._witnesses: dict[tuple[Drive, Drive], deque[tuple[Waypoint, Waypoint]]] = {}

    def check_drift(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Compare the two odometry poses; passes where none are, or of different stretches."""
        offset = self._direct(candidate.waypoint, query)
        if offset is None:
            return Verdict(True, {"distance": None, "allowed": None})
        evidence = {"distance": round(offset.distance, 3), "allowed": round(offset.allowed, 3)}
        return Verdict(offset.plausible, evidence)

    def check_witnesses(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Ask the last closures between the same drives; passes where there is none to ask."""
        match = candidate.waypoint
        direct = self._direct(match, query)
        votes = []
        for seen, then in self._witnesses.get((match.drive, query.drive), ()):
            offset = self._through(seen, then, match, query)
            # What is vaguer than drift itself has nothing to say.
            if offset is not None and (direct is None or offset.allowed < direct.allowed):
                votes.append(offset.plausible)
        passed = 2 * sum(votes) >= len(votes)
        return Verdict(passed, {"witnesses": len(votes), "agreeing": sum(votes)})

    def remember(self, query: Waypoint, candidate: Candidate) -> None:
        """Make a witness of a closure, or of a candidate that failed by witnesses alone."""
        match = candidate.waypoint
        if query.pose is not None and match.pose is not None:
            joined = self._witnesses.setdefault((match.drive, query.drive), deque(maxlen=WITNESSES))
            joined.append((match, query))

    def _direct(self, match: Waypoint, query: Waypoint) -> Offset | None:
        if match.drive != query.drive or match.pose is None or query.pose is None:
            return None
        settings = self._settings
        driven = query.along - match.along
        return Offset(
            math.dist(match.pose[:2], query.pose[:2]),
            settings.match_distance + settings.odometry_drift * driven,
            _turn(match.pose.yaw, query.pose.yaw),
            settings.match_angle + settings.odometry_yaw_drift * driven,
        )

    def _through(
        self, seen: Waypoint, then: Waypoint, match: Waypoint, query: Waypoint
    ) -> Offset | None:
        """Predict the query from a closure of `seen` by `then`, in the frame of the match's drive.

        None where odometry is missing.
        """
        if match.pose is None or query.pose is None:
            return None
        assert seen.pose is not None  # only such closures are remembered
        assert then.pose is not None
        settings = self._settings
        driven = abs(query.along - then.along) + abs(match.along - seen.along)
        same_frame = match.drive == query.drive
        turned = settings.odometry_yaw_drift * abs(query.along - seen.along)
        lever = min(turned, _VIEW_ERROR) if same_frame else _VIEW_ERROR
        moved = math.dist(query.pose[:2], then.pose[:2])
        # The ends of the closure may lie apart as far as those of the candidate.
        allowed = 2 * settings.match_distance + settings.odometry_drift * driven + lever * moved
        turn = 0.0 if same_frame else seen.pose.yaw - then.pose.yaw
        if math.isnan(turn):
            distance = abs(moved - math.dist(match.pose[:2], seen.pose[:2]))
            return Offset(distance, allowed, math.nan, math.inf)
        predicted = _moved(seen.pose, then.pose, query.pose, turn)
        return Offset(
            math.dist(predicted[:2], match.pose[:2]),
            allowed,
            _turn(predicted.yaw, match.pose.yaw),
            2 * settings.match_angle + settings.odometry_yaw_drift * driven,
        )


def _moved(seen: PlanarPose, then: PlanarPose, query: PlanarPose, turn: float) -> PlanarPose:
    """Go on from `seen` as odometry went from `then` to `query`, turned into the other frame."""
    x, y = query.x - then.x, query.y - then.y
    cos, sin = math.cos(turn), math.sin(turn)
    return PlanarPose(
        seen.x + cos * x - sin * y, seen.y + sin * x + cos * y, seen.z, query.yaw + turn
    )


def _turn(first: float, second: float) -> float:
    """Return the angle between two directions in [0, pi]; NaN where one is unknown."""
    return abs(math.remainder(first - second, math.tau))
