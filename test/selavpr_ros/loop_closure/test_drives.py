from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.loop_closure.drives import Drive, DriveLog, ExclusionWindow
from selavpr_ros.loop_closure.stretches import Stretch, StretchReason
from selavpr_ros.planar_pose import PlanarPose

SECOND = 10**9
FIRST = Stretch(0, StretchReason.FIRST, 0.0, 0)
AFTER_A_GAP = Stretch(1, StretchReason.GAP, 20.0, 0)
AFTER_A_JUMP = Stretch(1, StretchReason.JUMP_BACK, -20.0, 1)


def at(x: float) -> PlanarPose:
    return PlanarPose(x, 0.0, 0.0, 0.0)


def test_a_keyframe_is_read_back_as_it_was_added() -> None:
    log = DriveLog()
    pose = PlanarPose(1.0, 2.0, 3.0, -0.5)
    added = log.append(FIRST, 7, pose)
    assert added == log.waypoint(0)
    assert added.pose == pose
    assert (added.drive, added.number, added.stamp, added.along) == (Drive(None, 0), 0, 7, 0.0)
    assert log.append(FIRST, 8, None).pose is None
    assert len(log) == 2


def test_metres_add_up_along_the_track_and_begin_anew_with_a_stretch() -> None:
    log = DriveLog()
    places = [at(0), PlanarPose(3, 4, 99, 0), None, at(3), at(0)]  # heights do not count
    along = [log.append(FIRST, n, pose).along for n, pose in enumerate(places)]
    assert along == pytest.approx([0, 5, 5, 9, 12])
    assert log.append(AFTER_A_GAP, 9, at(50)).along == 0.0
    assert log.append(AFTER_A_GAP, 10, at(52)).along == 2.0
    assert log.waypoint(5).drive == Drive(None, 1)


def test_both_the_seconds_and_the_metres_must_be_exceeded() -> None:
    log = DriveLog()
    window = ExclusionWindow(log, seconds=10.0, metres=5.0)
    # Standing for long does not release a keyframe, nor does driving fast.
    assert window.released(log.append(FIRST, 0, at(0))) == 0
    assert window.released(log.append(FIRST, 60 * SECOND, at(5))) == 0
    assert window.released(log.append(FIRST, 61 * SECOND, at(5.1))) == 1
    assert window.released(log.append(FIRST, 70 * SECOND, at(50))) == 1
    assert window.released(log.append(FIRST, 70 * SECOND + 1, at(50))) == 2


def test_without_odometry_the_seconds_alone_decide() -> None:
    log = DriveLog()
    window = ExclusionWindow(log, seconds=10.0, metres=5.0)
    stamps = [0, SECOND, 10 * SECOND, 10 * SECOND + 1, 30 * SECOND]
    assert [window.released(log.append(FIRST, s, None)) for s in stamps] == [0, 0, 0, 1, 4]


def test_between_stretches_of_one_clock_the_seconds_alone_decide() -> None:
    log = DriveLog()
    window = ExclusionWindow(log, seconds=30.0, metres=5.0)
    log.append(FIRST, 0, at(0))
    log.append(FIRST, 5 * SECOND, at(1))
    assert window.released(log.append(AFTER_A_GAP, 25 * SECOND, at(0))) == 0
    assert window.released(log.append(AFTER_A_GAP, 31 * SECOND, at(0))) == 1
    assert window.released(log.append(AFTER_A_GAP, 36 * SECOND, at(0))) == 2


def test_stamps_of_another_clock_say_nothing() -> None:
    log = DriveLog()
    window = ExclusionWindow(log, seconds=30.0, metres=5.0)
    log.append(FIRST, 100 * SECOND, at(0))
    log.append(FIRST, 101 * SECOND, at(1))
    assert window.released(log.append(AFTER_A_JUMP, 90 * SECOND, at(0))) == 2
    assert window.released(log.append(AFTER_A_JUMP, 91 * SECOND, at(1))) == 2


steps = st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["on", "gap", "back"]))


@given(st.lists(steps, max_size=40), st.booleans())
def test_the_window_is_that_of_a_plain_loop(drive: list[tuple[int, int, str]], odo: bool) -> None:
    log = DriveLog()
    window = ExclusionWindow(log, seconds=5.0, metres=6.0)
    keyframes: list[tuple[int, float, int, int]] = []
    stretch, stamp, x = FIRST, 0, 0.0
    released = 0
    for seconds, metres, event in drive:
        stamp += seconds * SECOND
        x += metres
        if event == "gap":
            stamp += 20 * SECOND
            stretch = Stretch(stretch.number + 1, StretchReason.GAP, 20.0, stretch.clock)
        elif event == "back":
            stamp -= 20 * SECOND
            stretch = Stretch(stretch.number + 1, StretchReason.JUMP_BACK, -20.0, stretch.clock + 1)
        query = log.append(stretch, stamp, at(x) if odo else None)
        clear = []
        for then, there, number, clock in keyframes:
            old = clock != stretch.clock or (stamp - then) / SECOND > 5.0
            far = number != stretch.number or not odo or x - there > 6.0
            clear.append(old and far)
        keyframes.append((stamp, x, stretch.number, stretch.clock))
        prefix = clear.index(False) if False in clear else len(clear)
        released = max(released, prefix)
        assert window.released(query) == released


def test_a_yaw_that_is_not_known_is_no_missing_pose() -> None:
    log = DriveLog()
    pose = log.append(FIRST, 0, PlanarPose(1.0, 2.0, 0.0, math.nan)).pose
    assert pose is not None
    assert math.isnan(pose.yaw)
