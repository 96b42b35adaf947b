from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from selavpr_ros.loop_closure import (
    Candidate,
    Closure,
    Drive,
    Keyframe,
    Rejection,
    Stretch,
    StretchReason,
    Waypoint,
)
from selavpr_ros.nodes.camera.frame_monitor import Situation
from selavpr_ros.nodes.loop_closure.monitor import LoopMonitor, describe_closure, describe_stretch
from selavpr_ros.nodes.ros.status import Level, Status

SECOND = 10**9
ACTIVE = Situation(state="active", topic="/cam/image", timeout=5.0)


def waypoint(number: int, segment: str | None = None) -> Waypoint:
    return Waypoint(Drive(segment, 0), number, number * SECOND, 0.0, None)


PLAIN = Keyframe(waypoint(7), None, 4, 0.42, None, ())


def closed(segment: str | None = None) -> Keyframe:
    closure = Closure(waypoint(3, segment), waypoint(41), 0.834, 7, {})
    return PLAIN._replace(waypoint=waypoint(41), closure=closure)


@pytest.fixture
def monitor() -> LoopMonitor:
    monitor = LoopMonitor()
    monitor.start(0.0)
    monitor.image_arrived(100 * SECOND, 0.0)
    return monitor


def status(monitor: LoopMonitor, situation: Situation = ACTIVE) -> Status:
    return monitor.status(situation, 9, 2, 101 * SECOND, 2.0)


def test_keyframes_and_closures_are_counted(monitor: LoopMonitor) -> None:
    assert status(monitor).message == "no keyframes: waiting for an image on /cam/image"
    monitor.kept(PLAIN, Counter(), {"describe": 0.02}, 1.0)
    assert status(monitor).message == "looking for loops: 1 keyframes, 0 closures"
    monitor.kept(closed(), Counter(geometry=3, late=1), {}, 1.5)
    monitor.kept(closed("lap"), Counter(geometry=4, late=1), {}, 1.7)
    monitor.passed(Counter(geometry=4, late=2))
    seen = status(monitor)
    assert seen.level is Level.OK
    assert seen.message == (
        "looking for loops: 3 keyframes, 2 closures, last keyframe 41 is at place 3 of lap, "
        "similarity 0.83"
    )
    expected = {
        "images received": "9",
        "images processed": "4",
        "images dropped": "2",
        "keyframes": "3",
        "keyframe rate": "1.50 Hz",
        "closures": "2",
        "closures into the map": "1",
        "rejected by geometry": "4",
        "rejected by late": "2",
        "compared with": "4 keyframes and places",
        "best similarity": "0.420",
    }
    assert expected.items() <= seen.values.items()


def test_the_last_rejection_has_its_evidence(monitor: LoopMonitor) -> None:
    refused = Rejection(Candidate(waypoint(3), 0.5, 3), "geometry", {"inliers": 4})
    monitor.kept(PLAIN._replace(rejections=(refused,)), Counter(geometry=1), {}, 1.0)
    assert status(monitor).values["last rejection"] == "geometry: inliers 4"


def test_what_goes_wrong_is_named_until_a_frame_is_well(monitor: LoopMonitor) -> None:
    monitor.unusable("the image has no stamp")
    seen = status(monitor)
    assert seen.level is Level.WARN
    assert seen.message == "no keyframe: the image has no stamp"
    assert seen.values["images undecodable"] == "1"
    monitor.failed("the disk is full")
    seen = status(monitor)
    assert (seen.level, seen.message) == (Level.ERROR, "no keyframe: the disk is full")
    monitor.passed({})
    assert status(monitor).level is Level.OK


def test_what_is_amiss_beside_the_images(monitor: LoopMonitor) -> None:
    monitor.passed({})
    seen = status(monitor, replace(ACTIVE, problem="autosave failed: the disk is full"))
    assert seen.level is Level.WARN
    assert seen.message.endswith("0 closures; autosave failed: the disk is full")
    assert status(monitor, replace(ACTIVE, untrained=True)).message.endswith("untrained")


def test_a_session_outlives_a_deactivation_and_no_cleanup(monitor: LoopMonitor) -> None:
    monitor.kept(closed(), Counter(geometry=3), {}, 1.0)
    assert status(monitor, replace(ACTIVE, state="inactive")).message == (
        "not looking for loops: the node is inactive"
    )
    monitor.start(5.0)
    monitor.passed({})
    assert status(monitor).values["closures"] == "1"
    monitor.begin_session()
    seen = status(monitor)
    assert seen.values["closures"] == "0"
    assert "rejected by geometry" not in seen.values


def test_stretches_and_closures_in_words() -> None:
    gap = Stretch(2, StretchReason.GAP, 58.04, 0)
    assert describe_stretch(gap, 40) == "2, after a gap of 58.0 s, from keyframe 40 on"
    jump = Stretch(3, StretchReason.JUMP_BACK, -9.0, 1)
    assert describe_stretch(jump, 41) == "3, after time jumped back by 9.0 s, from keyframe 41 on"
    odometry = Stretch(4, StretchReason.ODOMETRY_JUMP, 0.1, 1)
    assert describe_stretch(odometry, 42) == "4, after odometry jumped, from keyframe 42 on"
    assert describe_stretch(Stretch(0, StretchReason.FIRST, 0.0, 0), 0).startswith("0, the first")
    assert describe_closure(closed()) == "keyframe 41 is at keyframe 3, similarity 0.83"
