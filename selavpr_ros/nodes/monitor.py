"""What the node has seen and done, counted by two threads and put into words for diagnostics."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from selavpr_ros.nodes.outcome import Failed, Localized, Outcome, Undecodable
from selavpr_ros.nodes.timing import Latency, Rate, describe_latency, describe_seconds


class Level(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Status:
    """One diagnostic status: level, reason, and the figures beside it.

    kind: the same for statuses that differ in nothing but figures.
    """

    level: Level
    kind: str
    message: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Situation:
    """What the node knows about itself when a status is asked for.

    state: label of the lifecycle state. failure: why the last transition failed. topic: the one
    with the images. camera_hint: what is known about its publishers. clock_missing: simulated time
    is used and no clock has been heard. transform_problem: why there is no map -> odom although it
    is asked for. facts: figures that do not change with each frame (map, weights, device).
    """

    state: str
    failure: str | None = None
    paused: bool = False
    topic: str = ""
    timeout: float = 5.0
    camera_hint: str = ""
    clock_missing: bool = False
    untrained: bool = False
    transform_problem: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


class Monitor:
    """Counters, rates and latencies since the node was activated.

    Two clocks: `now` of the node (nanoseconds, perhaps simulated) tells whether the camera is
    silent; `seconds` of a monotonic clock gives rates.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_image: int | None = None
        self._arrivals = Rate()
        self._poses = Rate()
        self._latencies: dict[str, Latency] = {}
        self._processed = 0
        self._localized = 0
        self._undecodable = 0
        self._failed = 0
        self._last_undecodable = ""
        self._outcome: Outcome | None = None
        self._forgotten = 0

    def start(self, seconds: float) -> None:
        """Begin anew at activation."""
        with self._lock:
            self._last_image = None
            self._arrivals.start(seconds)
            self._poses.start(seconds)
            self._latencies = {}
            self._processed = self._localized = self._undecodable = self._failed = 0
            self._last_undecodable = ""
            self._outcome = None
            self._forgotten = 0

    def image_arrived(self, now: int, seconds: float) -> None:
        """Count an image, whether or not it will be processed."""
        with self._lock:
            self._last_image = now
            self._arrivals.add(seconds)

    def restart_silence(self) -> None:
        """Measure silence from now on, as after a jump of time."""
        with self._lock:
            self._last_image = None

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
            self._processed += 1
            if number > self._forgotten:
                self._outcome = outcome
            for stage, duration in durations.items():
                self._latencies.setdefault(stage, Latency()).add(duration)
            if isinstance(outcome, Localized):
                self._localized += 1
                self._poses.add(seconds)
            elif isinstance(outcome, Undecodable):
                self._undecodable += 1
                self._last_undecodable = outcome.problem
            elif isinstance(outcome, Failed):
                self._failed += 1

    def silence(self, now: int) -> float:
        """Seconds of the node's clock since the last image, or since this was first asked."""
        with self._lock:
            # 0 is what a simulated clock shows before it is heard: nothing is late yet.
            if self._last_image is None or self._last_image == 0 or now < self._last_image:
                self._last_image = now
            return (now - self._last_image) / 1e9

    def status(
        self, situation: Situation, received: int, dropped: int, now: int, seconds: float
    ) -> Status:
        """Put the present into words; `received` and `dropped` are the mailbox's counts."""
        if situation.state != "active":
            return _idle_status(situation)
        silence = self.silence(now)
        with self._lock:
            level, kind, message = _active_reason(situation, silence, self._outcome)
            values = {"state": "paused" if situation.paused else situation.state}
            values |= situation.facts
            values |= {
                "image topic": situation.topic,
                "images received": str(received),
                "images processed": str(self._processed),
                "images dropped": str(dropped),
                "images undecodable": str(self._undecodable),
                "frames localised": str(self._localized),
                "frames failed": str(self._failed),
                "image rate": f"{self._arrivals(seconds):.2f} Hz",
                "pose rate": f"{self._poses(seconds):.2f} Hz",
            }
            if self._last_undecodable:
                values["last undecodable image"] = self._last_undecodable
            if isinstance(self._outcome, Localized):
                estimate = self._outcome.estimate
                values |= {
                    "similarity": f"{self._outcome.similarity:.3f}",
                    "place": f"{self._outcome.place} of {self._outcome.segment}",
                    "position sigma": f"{estimate.position_sigma:.2f} m",
                    "candidates that agree": f"{100 * estimate.agreement:.0f} %",
                }
            for stage, latency in self._latencies.items():
                summary = latency.summary()
                if summary is not None:
                    values[f"latency {stage}"] = describe_latency(summary)
        return Status(level, kind, message, values)


def _idle_status(situation: Situation) -> Status:
    """Status of a node that localizes nothing because of its lifecycle state."""
    values = {"state": situation.state, **situation.facts}
    if situation.failure is not None:
        return Status(Level.ERROR, situation.failure, situation.failure, values)
    message = f"not localising: the node is {situation.state}"
    return Status(Level.OK, situation.state, message, values)


def _active_reason(
    situation: Situation, silence: float, outcome: Outcome | None
) -> tuple[Level, str, str]:
    """Level, kind and message of an active node; of all that is wrong the first is named."""
    if situation.clock_missing:
        message = "not localised: use_sim_time is set but nothing is heard on /clock"
        return Level.WARN, "no clock", message
    if situation.paused:
        return Level.OK, "paused", "not localising: paused"
    if silence >= situation.timeout:
        hint = f" ({situation.camera_hint})" if situation.camera_hint else ""
        message = (
            f"not localised: no image on {situation.topic} for {describe_seconds(silence)}{hint}"
        )
        return Level.WARN, "no image", message
    if outcome is None:
        message = f"not localised: waiting for an image on {situation.topic}"
        return Level.WARN, "waiting", message
    kind, message = type(outcome).__name__, str(outcome)
    if isinstance(outcome, Failed):
        return Level.ERROR, kind, message
    if not isinstance(outcome, Localized):
        return Level.WARN, kind, message
    if situation.transform_problem is not None:
        problem = situation.transform_problem
        return Level.WARN, f"{kind} {problem}", f"{message}; no transform: {problem}"
    if situation.untrained:
        return Level.WARN, kind, f"{message}; the weights are untrained"
    return Level.OK, kind, message
