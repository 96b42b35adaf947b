"""Thresholds for a wanted precision, from a map's own places or from another drive."""

from selavpr_core.calibration.answers import Answers
from selavpr_core.calibration.asking import RADIUS, Asked, ask_drive, ask_own_places
from selavpr_core.calibration.needed import answers_needed
from selavpr_core.calibration.recordings import stamps_to_compare
from selavpr_core.calibration.thresholds import (
    Choice,
    Curve,
    choose_thresholds,
    curve,
    times_the_queries,
)

__all__ = [
    "RADIUS",
    "Answers",
    "Asked",
    "Choice",
    "Curve",
    "answers_needed",
    "ask_drive",
    "ask_own_places",
    "choose_thresholds",
    "curve",
    "stamps_to_compare",
    "times_the_queries",
]
