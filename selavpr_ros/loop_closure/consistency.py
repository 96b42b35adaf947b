"""Agreement of consecutive keyframes: what was driven along once is driven along again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Waypoint
from selavpr_ros.loop_closure.settings import LoopClosureSettings


class Consistency:
    """Remembers what the last keyframes looked like.

    A candidate agrees with a keyframe before the query if one of that keyframe's candidates is of
    the same drive and near in it: by at most `agreement_reach` keyframes for each keyframe between
    the two queries. Both directions count. Where pictures are compared only those candidates count
    whose own pictures fitted: what is merely like the surroundings is found again and again.
    """

    def __init__(self, settings: LoopClosureSettings) -> None:
        self._settings = settings
        self._seen: deque[tuple[Waypoint, list[Candidate]]] = deque(
            maxlen=settings.agreement_window
        )

    def check(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Ask the last keyframes of the query's stretch whether they were near the candidate."""
        asked = [(past, seen) for past, seen in self._seen if past.drive == query.drive]
        agreeing = sum(self._agrees(candidate, query.number - past.number, s) for past, s in asked)
        return Verdict(
            agreeing >= self._settings.agreeing, {"agreeing": agreeing, "asked": len(asked)}
        )

    def _agrees(self, candidate: Candidate, steps: int, seen: Sequence[Candidate]) -> bool:
        here = candidate.waypoint
        reach = steps * self._settings.agreement_reach
        return any(
            other.waypoint.drive == here.drive and abs(other.waypoint.number - here.number) <= reach
            for other in seen
        )

    def remember(self, query: Waypoint, candidates: Sequence[Candidate]) -> None:
        """Take what a keyframe found, after its own candidates were checked."""
        self._seen.append((query, list(candidates)))
