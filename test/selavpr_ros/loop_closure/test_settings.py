from __future__ import annotations

import math

import pytest

from selavpr_ros.loop_closure import LoopClosureSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keyframe_distance", -1.0),
        ("keyframe_seconds", math.nan),
        ("exclusion_seconds", -0.1),
        ("odometry_drift", -0.1),
        ("max_gap", 0.0),
        ("similarity_threshold", 1.5),
        ("margin_threshold", -2.1),
        ("min_coverage", -0.1),
        ("max_candidates", 0),
        ("min_inliers", 0),
        ("agreement_reach", 0),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        LoopClosureSettings(**{name: value})


def test_no_more_keyframes_can_agree_than_are_asked() -> None:
    with pytest.raises(ValueError, match="agreeing"):
        LoopClosureSettings(agreeing=3, agreement_window=2)
