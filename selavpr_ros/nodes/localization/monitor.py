"""What the localization node has seen and done, put into words for diagnostics."""

from __future__ import annotations

from collections.abc import Mapping

from selavpr_ros.nodes.camera.frame_monitor import FrameMonitor
from selavpr_ros.nodes.camera.timing import Rate
from selavpr_ros.nodes.localization.outcome import (
    Failed,
    Localized,
    Outcome,
    Undecodable,
    Unsettled,
    describe_probability,
    state_of,
)
from selavpr_ros.nodes.ros.status import Level


class Monitor(FrameMonitor):
    """Counts what became of the frames since the node was activated."""

    def __init__(self) -> None:
        super().__init__("not localising", "not localised")
        self._poses = Rate()
        self._localized = 0
        self._outcome: Outcome | None = None
        self._forgotten = 0

    def start(self, seconds: float) -> None:
        """Begin anew at activation."""
        super().start(seconds)
        with self._lock:
            self._poses.start(seconds)
            self._localized = 0
            self._outcome = None
            self._forgotten = 0

    def forget_outcome(self, until: int) -> None:
        """Forget what came of the frames up to number `until`, also of one that is in work."""
        with self._lock:
            self._outcome = None
            self._forgotten = until

    def processed(
        self, number: int, outcome: Outcome, durations: Mapping[str, float], seconds: float
    ) -> None:
        """Note what came of the frame of this number and how long each stage of it took (s)."""
        with self._lock:
            self._count(durations)
            if number > self._forgotten:
                self._outcome = outcome
            if isinstance(outcome, Localized):
                self._localized += 1
                self._poses.add(seconds)
            elif isinstance(outcome, Undecodable):
                self._undecodable += 1
                self._last_undecodable = outcome.problem
            elif isinstance(outcome, Failed):
                self._failed += 1

    def _verdict(self) -> tuple[Level, str, str] | None:
        if self._outcome is None:
            return None
        if isinstance(self._outcome, Failed):
            level = Level.ERROR
        else:
            level = Level.OK if isinstance(self._outcome, Localized) else Level.WARN
        kind = type(self._outcome).__name__
        if isinstance(self._outcome, Unsettled):
            kind += f" {self._outcome.state}"
        return level, kind, str(self._outcome)

    def _paused_reason(self) -> tuple[Level, str, str]:
        level, kind, message = super()._paused_reason()
        verdict = self._verdict()
        if verdict is None:
            return level, kind, message
        # Nobody expects a paused node to be localised: only what failed is amiss.
        told, answer, text = verdict
        level = told if told is Level.ERROR else level
        return level, f"{kind} {answer}", f"{message}; when last asked: {text}"

    def _figures(self, seconds: float) -> dict[str, str]:
        values = {
            "frames localised": str(self._localized),
            "pose rate": f"{self._poses(seconds):.2f} Hz",
        }
        if self._outcome is not None and not isinstance(self._outcome, (Undecodable, Failed)):
            values["localization state"] = state_of(self._outcome)
        if isinstance(self._outcome, (Localized, Unsettled)):
            probability = self._outcome.probability
            if probability is not None:
                values["probability"] = describe_probability(probability)
        if isinstance(self._outcome, Localized):
            estimate = self._outcome.estimate
            values |= {
                "similarity": f"{self._outcome.similarity:.3f}",
                "place": f"{self._outcome.place} of {self._outcome.segment}",
                "position sigma": f"{estimate.position_sigma:.2f} m",
                "candidates that agree": f"{100 * estimate.agreement:.0f} %",
            }
        return values
