"""Agreement of consecutive keyframes: what was driven along once is driven along again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Waypoint
from selavpr_ros.loop_closure.elsewhere import distance, elsewhere
from selavpr_ros.loop_closure.settings import LoopClosureSettings


class Consistency:
    """Remembers what the last keyframes looked like.

    A candidate agrees with a keyframe before the query if one of that keyframe's candidates is of
    the same drive and near in it: by at most `agreement_reach` keyframes for each keyframe between
    the two queries. Both directions count. Of another segment of a map, where numbers say nothing,
    it must lie within `match_distance` and the way between the queries. Where pictures are compared
    only those candidates count whose own pictures fitted: what is merely like the surroundings is
    found again and again.

    A keyframe that found only places elsewhere contradicts the candidate; more of these than of
    those that agree refuse it.
    """

    def __init__(self, settings: LoopClosureSettings) -> None:
        self._settings = settings
        self._seen: deque[tuple[Waypoint, list[Candidate]]] = deque(
            maxlen=settings.agreement_window
        )

    def check(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Ask the last keyframes of the query's stretch whether they were near the candidate."""
        here = candidate.waypoint
        asked = agreeing = contradicting = 0
        for past, seen in self._seen:
            if past.drive != query.drive:
                continue
            asked += 1
            found = [other.waypoint for other in seen]
            if any(self._near(query, past, here, other) for other in found):
                agreeing += 1
            elif found and all(self._elsewhere(here, other) for other in found):
                contradicting += 1
        passed = agreeing >= self._settings.agreeing and agreeing >= contradicting
        evidence = {"agreeing": agreeing, "contradicting": contradicting, "asked": asked}
        return Verdict(passed, evidence)

    def _near(self, query: Waypoint, past: Waypoint, here: Waypoint, there: Waypoint) -> bool:
        """Tell whether `there`, seen from `past`, is as near to `here` as past is to the query."""
        if here.drive == there.drive:
            reach = (query.number - past.number) * self._settings.agreement_reach
            return abs(here.number - there.number) <= reach
        apart = distance(here, there)
        driven = query.along - past.along
        return apart is not None and apart <= self._settings.match_distance + driven

    def _elsewhere(self, here: Waypoint, there: Waypoint) -> bool:
        """Tell whether two places are not near, or nothing says that they are."""
        return elsewhere(here, there, self._settings.odometry_drift) is not False

    def remember(self, query: Waypoint, candidates: Sequence[Candidate]) -> None:
        """Take what a keyframe found, after its own candidates were checked."""
        self._seen.append((query, list(candidates)))
