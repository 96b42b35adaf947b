"""A diagnostic status in plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


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
