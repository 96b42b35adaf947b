"""How much more alike a candidate looks than any place elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from selavpr_core.retrieval.margin import NO_RIVAL
from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Waypoint
from selavpr_ros.loop_closure.elsewhere import elsewhere
from selavpr_ros.loop_closure.settings import LoopClosureSettings


class Margins:
    """Holds each candidate of a query against the others, as selavpr_core.retrieval.margin does.

    The margin of a candidate is its similarity minus that of the best candidate elsewhere: farther
    away than 25 m and than drift can explain. Only positions in one frame can tell: those of a
    loaded map, or those of one stretch. Where no such candidate is elsewhere the rival counts as
    similarity -1; where the candidate itself has no position its margin is unknown.
    """

    def __init__(self, settings: LoopClosureSettings) -> None:
        self._settings = settings
        self._found: Sequence[Candidate] = ()

    def begin(self, found: Sequence[Candidate]) -> None:
        """Take everything that looks like the next query, best first."""
        self._found = found

    def of(self, candidate: Candidate) -> float | None:
        """Return a candidate's margin, -2 to 2, less than 0 if a place elsewhere looks more alike.

        None where its position is unknown.
        """
        here, drift = candidate.waypoint, self._settings.odometry_drift
        if here.pose is None:
            return None
        rivals = (o.similarity for o in self._found if elsewhere(here, o.waypoint, drift))
        return candidate.similarity - next(rivals, NO_RIVAL)

    def check(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Ask for the least margin; an unknown one passes, for nothing speaks against it."""
        margin, threshold = self.of(candidate), self._settings.margin_threshold
        return Verdict(
            margin is None or margin >= threshold,
            {"margin": None if margin is None else round(margin, 4), "threshold": threshold},
        )
