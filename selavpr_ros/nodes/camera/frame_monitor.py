"""What a node has seen and done, counted by two threads and put into words for diagnostics."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from selavpr_ros.nodes.camera.timing import Latency, Rate, describe_latency, describe_seconds
from selavpr_ros.nodes.ros.status import Level, Status


@dataclass(frozen=True)
class Situation:
    """What the node knows about itself when a status is asked for.

    state: label of the lifecycle state. failure: why the last transition failed. asked: somebody
    waits for what an image gives, even while paused. topic: the one with the images. camera_hint:
    what is known about its publishers. clock_missing: simulated time is used and no clock has been
    heard. problem: what is amiss although images are worked on. facts: figures that do not change
    with each frame (map, weights, device).
    """

    state: str
    failure: str | None = None
    paused: bool = False
    asked: bool = False
    topic: str = ""
    timeout: float = 5.0
    camera_hint: str = ""
    clock_missing: bool = False
    untrained: bool = False
    problem: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


class FrameMonitor(ABC):
    """Counters, rates and latencies since the node was activated.

    Two clocks: `now` of the node (nanoseconds, perhaps simulated) tells whether the camera is
    silent; `seconds` of a monotonic clock gives rates. A node's own monitor says what it made of
    the last frame (`_verdict`), and adds its figures (`_figures`); both are called with the lock.
    """

    def __init__(self, idle: str, without: str) -> None:
        """idle, without: begin what is said while the node rests, and while it has no result."""
        self._idle = idle
        self._without = without
        self._lock = threading.Lock()
        self._last_image: int | None = None
        self._arrivals = Rate()
        self._latencies: dict[str, Latency] = {}
        self._processed = 0
        self._undecodable = 0
        self._failed = 0
        self._last_undecodable = ""

    def start(self, seconds: float) -> None:
        """Begin anew at activation."""
        with self._lock:
            self._last_image = None
            self._arrivals.start(seconds)
            self._latencies = {}
            self._processed = self._undecodable = self._failed = 0
            self._last_undecodable = ""

    def image_arrived(self, now: int, seconds: float) -> None:
        """Count an image, whether or not it will be processed."""
        with self._lock:
            self._last_image = now
            self._arrivals.add(seconds)

    def restart_silence(self) -> None:
        """Measure silence from now on, as after a jump of time."""
        with self._lock:
            self._last_image = None

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
            return self._idle_status(situation)
        silence = self.silence(now)
        with self._lock:
            level, kind, message = self._active_reason(situation, silence)
            values = {"state": "paused" if situation.paused else situation.state}
            values |= situation.facts
            values |= {
                "image topic": situation.topic,
                "images received": str(received),
                "images processed": str(self._processed),
                "images dropped": str(dropped),
                "images undecodable": str(self._undecodable),
                "frames failed": str(self._failed),
                "image rate": f"{self._arrivals(seconds):.2f} Hz",
            }
            if self._last_undecodable:
                values["last undecodable image"] = self._last_undecodable
            values |= self._figures(seconds)
            for stage, latency in self._latencies.items():
                summary = latency.summary()
                if summary is not None:
                    values[f"latency {stage}"] = describe_latency(summary)
        return Status(level, kind, message, values)

    @abstractmethod
    def _verdict(self) -> tuple[Level, str, str] | None:
        """What the last frame gave, as level, kind and message; None before the first."""

    @abstractmethod
    def _figures(self, seconds: float) -> dict[str, str]:
        """What is counted beyond the frames; `seconds` of the monotonic clock."""

    def _paused_reason(self) -> tuple[Level, str, str]:
        """Level, kind and message of a paused node; with the lock."""
        return Level.OK, "paused", f"{self._idle}: paused"

    def _count(self, durations: Mapping[str, float]) -> None:
        """Count a frame and how long each stage of it took (s); with the lock."""
        self._processed += 1
        for stage, duration in durations.items():
            self._latencies.setdefault(stage, Latency()).add(duration)

    def _idle_status(self, situation: Situation) -> Status:
        """Status of a node that does nothing because of its lifecycle state."""
        values = {"state": situation.state, **situation.facts}
        if situation.failure is not None:
            return Status(Level.ERROR, situation.failure, situation.failure, values)
        message = f"{self._idle}: the node is {situation.state}"
        return Status(Level.OK, situation.state, message, values)

    def _active_reason(self, situation: Situation, silence: float) -> tuple[Level, str, str]:
        """Level, kind and message of an active node; of all that is wrong the first is named."""
        if situation.clock_missing:
            message = f"{self._without}: use_sim_time is set but nothing is heard on /clock"
            return Level.WARN, "no clock", message
        if situation.paused and not situation.asked:
            return self._paused_reason()
        if silence >= situation.timeout:
            hint = f" ({situation.camera_hint})" if situation.camera_hint else ""
            waited = describe_seconds(silence)
            message = f"{self._without}: no image on {situation.topic} for {waited}{hint}"
            return Level.WARN, "no image", message
        verdict = self._verdict()
        if verdict is None:
            message = f"{self._without}: waiting for an image on {situation.topic}"
            return Level.WARN, "waiting", message
        level, kind, message = verdict
        if level is not Level.OK:
            return verdict
        if situation.problem is not None:
            return Level.WARN, f"{kind} {situation.problem}", f"{message}; {situation.problem}"
        if situation.untrained:
            return Level.WARN, kind, f"{message}; the weights are untrained"
        return verdict
