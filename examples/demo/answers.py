"""What the node said to the frames that were played to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What the node said to one frame.

    stamp: ns. outcome: "localised", "not in the map", "undecodable", "failed" or "no answer".
    position: [3] metres in the map frame and yaw in radians of the published pose, sigma its
    horizontal standard deviation in metres; None without a pose. places and similarities: the
    candidates, best first. seconds: from sending the image to the answer.
    """

    stamp: int
    outcome: str
    seconds: float
    position: tuple[float, float, float] | None = None
    yaw: float | None = None
    sigma: float | None = None
    places: tuple[int, ...] = ()
    similarities: tuple[float, ...] = ()


@dataclass(frozen=True)
class Replay:
    """All answers in the order of the bag; what the node says about itself in the end."""

    answers: tuple[Answer, ...]
    latencies: dict[str, tuple[float, float]]  # stage: mean and longest, seconds
    diagnostics: dict[str, str]


def latencies(values: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Mean and longest seconds of each stage, from texts like `12.3 ms (max 20.1 ms, ...)`."""
    found = {}
    for name, text in values.items():
        figures: list[str] = re.findall(r"([\d.]+) ms", text)
        if name.startswith("latency ") and len(figures) == 2:
            mean, longest = (1e-3 * float(figure) for figure in figures)
            found[name.removeprefix("latency ")] = (mean, longest)
    return found
