from __future__ import annotations

import math

from selavpr_ros.loop_closure.keyframes import KeyframeGate
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

SECOND = 10**9
SETTINGS = LoopClosureSettings(
    keyframe_distance=1.0, keyframe_heading=math.radians(20), keyframe_seconds=2.0
)


def at(x: float, degrees: float = 0.0) -> PlanarPose:
    return PlanarPose(x, 0.0, 0.0, math.radians(degrees))


def test_with_odometry_distance_and_heading_decide_and_time_does_not() -> None:
    gate = KeyframeGate(SETTINGS)
    assert gate.wants(0, at(0))
    gate.keep(0, at(0))
    assert not gate.wants(100 * SECOND, at(0.99, 19))
    assert gate.wants(1, at(1.0))
    assert gate.wants(1, at(0, 21))
    assert gate.wants(1, at(0, -21))


def test_the_last_one_kept_is_what_counts() -> None:
    gate = KeyframeGate(SETTINGS)
    gate.keep(0, at(0))
    assert not any(gate.wants(n, at(n / 10)) for n in range(10))
    gate.keep(10, at(1.0))
    assert not gate.wants(11, at(1.9))


def test_without_odometry_time_decides() -> None:
    gate = KeyframeGate(SETTINGS)
    assert gate.wants(0, None)
    gate.keep(0, None)
    assert not gate.wants(2 * SECOND - 1, None)
    assert gate.wants(2 * SECOND, None)


def test_where_odometry_begins_or_ends_time_decides() -> None:
    gate = KeyframeGate(SETTINGS)
    gate.keep(0, at(0))
    assert not gate.wants(SECOND, None)
    assert gate.wants(2 * SECOND, None)
    gate.keep(2 * SECOND, None)
    assert not gate.wants(3 * SECOND, at(50))
    assert gate.wants(4 * SECOND, at(50))


def test_after_a_reset_the_next_frame_is_kept() -> None:
    gate = KeyframeGate(SETTINGS)
    gate.keep(0, at(0))
    gate.reset()
    assert gate.wants(1, at(0))
