"""Rates and latencies over the recent past, for diagnostics."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

RATE_WINDOW = 10.0  # s
LATENCY_WINDOW = 100  # frames


class Rate:
    """Events per second over the last `window` seconds; times are seconds of a monotonic clock."""

    def __init__(self, window: float = RATE_WINDOW) -> None:
        self._window = window
        self._times: deque[float] = deque()
        self._started: float | None = None

    def start(self, now: float) -> None:
        """Forget all events; the rate is that since `now` until a whole window has passed."""
        self._times.clear()
        self._started = now

    def add(self, now: float) -> None:
        """Count one event."""
        if self._started is None:
            self._started = now
        self._times.append(now)
        self._forget(now)

    def __call__(self, now: float) -> float:
        """Events per second as seen at `now`; 0 where nothing happened yet."""
        if self._started is None:
            return 0.0
        self._forget(now)
        seen = min(self._window, now - self._started)
        # Less than a second of watching says nothing about a rate: one event would read as 1 kHz.
        return len(self._times) / max(seen, 1.0)

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - self._window:
            self._times.popleft()


class LatencySummary(NamedTuple):
    """Mean and longest of the recent durations, in seconds, and how many they are."""

    mean: float
    longest: float
    frames: int


class Latency:
    """Durations of one stage over the last `window` frames, in seconds."""

    def __init__(self, window: int = LATENCY_WINDOW) -> None:
        self._durations: deque[float] = deque(maxlen=window)

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self._durations.append(seconds)

    def summary(self) -> LatencySummary | None:
        """What the recent durations were; None before the first."""
        if not self._durations:
            return None
        total = sum(self._durations)
        frames = len(self._durations)
        return LatencySummary(total / frames, max(self._durations), frames)


def describe_seconds(seconds: float) -> str:
    """Text such as `12 s` or `0.3 s`."""
    return f"{seconds:.0f} s" if seconds >= 1.0 else f"{seconds:.1f} s"


def describe_latency(summary: LatencySummary) -> str:
    """Text such as `12.3 ms (max 20.1 ms, 100 frames)`."""
    return (
        f"{1e3 * summary.mean:.1f} ms (max {1e3 * summary.longest:.1f} ms, {summary.frames} frames)"
    )
