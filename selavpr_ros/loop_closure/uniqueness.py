"""Uniqueness: whether a query's picture fits one place better than any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.elsewhere import elsewhere
from selavpr_ros.loop_closure.settings import LoopClosureSettings

RATIO = 1.2
"""Times as many inliers as the best place elsewhere that a candidate must have."""


class Uniqueness:
    """Compares the inliers of a candidate with those of the query's other candidates.

    Places that were built alike fit a picture by geometry, too, but the true one fits it better.
    Candidates of the same place are no rivals: near by their positions; where positions cannot
    tell, near in one drive, or tied to each other by closures of before.
    """

    def __init__(
        self, settings: LoopClosureSettings, inliers: Callable[[Waypoint, Waypoint], int]
    ) -> None:
        """inliers: how many points of a query and a candidate agree with one geometry."""
        self._inliers = inliers
        self._drift = settings.odometry_drift
        self._reach = settings.agreement_reach * settings.agreement_window
        self._rivals: Sequence[Candidate] = ()
        # By number of a keyframe that closed a loop: the first keyframe or place that saw it.
        self._origins: dict[int, tuple[Drive, int]] = {}

    def begin(self, rivals: Sequence[Candidate]) -> None:
        """Take the candidates of the next query that nothing else speaks against."""
        self._rivals = rivals

    def check(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Ask for clearly more inliers than any rival has."""
        match = candidate.waypoint
        others = [o.waypoint for o in self._rivals if not self._same(match, o.waypoint)]
        rival = max((self._inliers(query, other) for other in others), default=0)
        inliers = self._inliers(query, match)
        return Verdict(inliers >= RATIO * rival, {"inliers": inliers, "rival": rival})

    def remember(self, query: Waypoint, candidate: Candidate) -> None:
        """Note a closure: from now on the two are one place."""
        match = candidate.waypoint
        own = match.drive.segment is None
        before = self._origins.get(match.number) if own else None
        self._origins[query.number] = before or (match.drive, match.number)

    def _same(self, here: Waypoint, there: Waypoint) -> bool:
        apart = elsewhere(here, there, self._drift)
        if apart is not None:
            return not apart
        return any(
            drive == other and abs(number - another) <= self._reach
            for drive, number in self._known_as(here)
            for other, another in self._known_as(there)
        )

    def _known_as(self, waypoint: Waypoint) -> set[tuple[Drive, int]]:
        """Return a keyframe, and what those around it turned out to be."""
        known = {(waypoint.drive, waypoint.number)}
        if waypoint.drive.segment is None:
            around = range(waypoint.number - self._reach, waypoint.number + self._reach + 1)
            known.update(self._origins[number] for number in around if number in self._origins)
        return known
