"""What the loop closure node has seen and done, put into words for diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from selavpr_ros.nodes.camera.frame_monitor import FrameMonitor
from selavpr_ros.nodes.camera.timing import Rate
from selavpr_ros.nodes.ros.status import Level

if TYPE_CHECKING:  # the package imports torch
    from selavpr_ros.loop_closure import Keyframe, Stretch


class LoopMonitor(FrameMonitor):
    """Counts what became of the frames since the node was activated, and the session's closures.

    Keyframes, closures and rejections are those of the session, which outlives a deactivation.
    """

    def __init__(self) -> None:
        super().__init__("not looking for loops", "no keyframes")
        self._keyframe_rate = Rate()
        self._problem: tuple[Level, str, str] | None = None
        self._looked = False
        self.begin_session()

    def begin_session(self) -> None:
        """Forget the last session."""
        with self._lock:
            self._keyframes = 0
            self._closures = 0
            self._into_map = 0
            self._stretch = ""
            self._last: Keyframe | None = None
            self._last_closure = ""
            self._rejected: Mapping[str, int] = {}

    def start(self, seconds: float) -> None:
        """Begin anew at activation."""
        super().start(seconds)
        with self._lock:
            self._keyframe_rate.start(seconds)
            self._problem = None
            self._looked = False

    def passed(self, rejected: Mapping[str, int]) -> None:
        """Count a frame that was not worth a keyframe; late ones are among `rejected`."""
        with self._lock:
            self._count({})
            self._rejected = dict(rejected)
            self._looked, self._problem = True, None

    def kept(
        self,
        keyframe: Keyframe,
        rejected: Mapping[str, int],
        durations: Mapping[str, float],
        seconds: float,
    ) -> None:
        """Note a keyframe, how often candidates were rejected until now, and how long it took."""
        with self._lock:
            self._count(durations)
            self._looked, self._problem = True, None
            self._keyframe_rate.add(seconds)
            self._last = keyframe
            self._keyframes += 1
            self._rejected = dict(rejected)
            if keyframe.new_stretch is not None:
                self._stretch = describe_stretch(keyframe.new_stretch, keyframe.waypoint.number)
            if keyframe.closure is not None:
                self._closures += 1
                self._into_map += keyframe.closure.segment is not None
                self._last_closure = describe_closure(keyframe)

    def unusable(self, problem: str) -> None:
        """Count an image message that has no stamp, or could not be converted to pixels."""
        with self._lock:
            self._count({})
            self._undecodable += 1
            self._last_undecodable = problem
            self._problem = Level.WARN, "undecodable", f"no keyframe: {problem}"

    def failed(self, reason: str) -> None:
        """Count a frame that could not be added, for a full disk or something nobody foresaw."""
        with self._lock:
            self._count({})
            self._failed += 1
            self._problem = Level.ERROR, "failed", f"no keyframe: {reason}"

    def _verdict(self) -> tuple[Level, str, str] | None:
        if self._problem is not None:
            return self._problem
        if not self._looked:
            return None
        message = f"looking for loops: {self._keyframes} keyframes, {self._closures} closures"
        if self._last_closure:
            message += f", last {self._last_closure}"
        return Level.OK, "looking", message

    def _figures(self, seconds: float) -> dict[str, str]:
        values = {
            "keyframes": str(self._keyframes),
            "keyframe rate": f"{self._keyframe_rate(seconds):.2f} Hz",
            "closures": str(self._closures),
            "closures into the map": str(self._into_map),
        }
        if self._last_closure:
            values["last closure"] = self._last_closure
        for reason, count in sorted(self._rejected.items()):
            values[f"rejected by {reason}"] = str(count)
        last = self._last
        if last is not None:
            values["compared with"] = f"{last.searched} keyframes and places"
            if last.similarity is not None:
                values["best similarity"] = f"{last.similarity:.3f}"
            if last.rejections:
                refused = last.rejections[0]
                evidence = ", ".join(f"{k} {v}" for k, v in refused.evidence.items())
                values["last rejection"] = f"{refused.reason}: {evidence}"
        if self._stretch:
            values["stretch"] = self._stretch
        return values


def describe_stretch(stretch: Stretch, keyframe: int) -> str:
    """A stretch and why it began, such as `1, after a gap of 58.0 s, from keyframe 40 on`."""
    seconds = abs(stretch.seconds)
    reason = {
        "first": "the first",
        "gap": f"after a gap of {seconds:.1f} s",
        "jump_back": f"after time jumped back by {seconds:.1f} s",
        "odometry_jump": "after odometry jumped",
    }[stretch.reason.value]
    return f"{stretch.number}, {reason}, from keyframe {keyframe} on"


def describe_closure(keyframe: Keyframe) -> str:
    """A keyframe's closure, such as `keyframe 41 is at keyframe 3, similarity 0.83`."""
    closure = keyframe.closure
    assert closure is not None  # asked of keyframes with one
    at = f"keyframe {closure.match.number}"
    if closure.segment is not None:
        at = f"place {closure.match.number} of {closure.segment}"
    return f"keyframe {closure.query.number} is at {at}, similarity {closure.similarity:.2f}"
