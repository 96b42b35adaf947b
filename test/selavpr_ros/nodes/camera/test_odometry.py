from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.nodes.camera.odometry import (
    CARRIED_ON,
    KEPT,
    WIDEST_GAP,
    OdometryBuffer,
)
from selavpr_ros.planar_pose import PlanarPose

SECOND = 1_000_000_000


def test_interpolates_between_neighbours() -> None:
    buffer = OdometryBuffer()
    buffer.add(10 * SECOND, PlanarPose(0.0, 0.0, 0.0, math.pi - 0.1))
    buffer.add(10 * SECOND + SECOND // 2, PlanarPose(1.0, -2.0, 0.5, -math.pi + 0.1))
    pose = buffer.at(10 * SECOND + SECOND // 4)
    assert pose is not None
    assert pose[:3] == pytest.approx((0.5, -1.0, 0.25))
    # The shorter way round leads over pi.
    assert abs(pose.yaw) == pytest.approx(math.pi)
    assert buffer.at(10 * SECOND) == PlanarPose(0.0, 0.0, 0.0, math.pi - 0.1)


@given(st.integers(0, CARRIED_ON), st.floats(-20.0, 20.0), st.floats(-1.0, 1.0))
def test_a_guess_goes_on_as_the_robot_moved_before(ahead: int, speed: float, turn: float) -> None:
    """Odometry ten times a second for a second, of a steady motion."""
    buffer = OdometryBuffer()
    for tenth in range(11):
        buffer.add(tenth * SECOND // 10, PlanarPose(0.1 * speed * tenth, 1.0, 0.0, turn * tenth))
    stamp = SECOND + ahead
    guessed = buffer.guess_at(stamp)
    assert guessed is not None
    assert guessed[:3] == pytest.approx((speed * stamp / SECOND, 1.0, 0.0), abs=1e-9)
    expected = 10.0 * turn * stamp / SECOND
    assert math.cos(guessed.yaw - expected) == pytest.approx(1.0)


def test_what_odometry_reaches_is_not_guessed_and_the_far_future_neither() -> None:
    buffer = OdometryBuffer()
    assert buffer.guess_at(SECOND) is None
    alone = PlanarPose(3.0, 0.0, 0.0, 0.0)
    buffer.add(SECOND, alone)
    # Nothing says how it moves: it may stand.
    assert buffer.guess_at(SECOND + CARRIED_ON) == alone
    assert buffer.guess_at(SECOND + CARRIED_ON + 1) is None
    assert buffer.guess_at(SECOND - 1) is None
    buffer.add(2 * SECOND, PlanarPose(5.0, 0.0, 0.0, 0.0))
    for stamp in (SECOND, SECOND + SECOND // 4, 2 * SECOND):
        assert buffer.guess_at(stamp) == buffer.at(stamp)


def test_odometry_may_be_asked_while_it_comes() -> None:
    buffer = OdometryBuffer()
    failures: list[Exception] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                newest = buffer.newest
                if newest is not None:
                    pose = buffer.at(newest - SECOND // 20)
                    # At 100 Hz for a second and more there is a pose, and it is that of the stamp.
                    if pose is not None and abs(pose.x - (newest / SECOND - 0.05)) > 1e-6:
                        raise AssertionError(f"{pose} at {newest}")
            except Exception as error:
                failures.append(error)
                return

    asking = threading.Thread(target=ask)
    asking.start()
    for message in range(5000):  # long enough for the oldest to be forgotten
        buffer.add(message * SECOND // 100, PlanarPose(message / 100, 0.0, 0.0, 0.0))
    ended.set()
    asking.join()
    assert not failures


def test_never_extrapolates_nor_bridges_a_gap() -> None:
    buffer = OdometryBuffer()
    assert buffer.at(0) is None
    origin = PlanarPose(0.0, 0.0, 0.0, 0.0)
    buffer.add(10 * SECOND, origin)
    buffer.add(10 * SECOND + WIDEST_GAP + 1, origin)
    assert buffer.at(10 * SECOND - 1) is None
    assert buffer.at(10 * SECOND + 1) is None
    assert buffer.at(10 * SECOND + WIDEST_GAP + 2) is None


def test_memory_is_bounded() -> None:
    buffer = OdometryBuffer()
    for i in range(5000):
        buffer.add(i * SECOND // 100, PlanarPose(float(i), 0.0, 0.0, 0.0))
    assert len(buffer) == KEPT * 100 // SECOND + 1


def test_time_that_jumps_back_starts_anew() -> None:
    buffer = OdometryBuffer()
    buffer.add(10 * SECOND, PlanarPose(1.0, 0.0, 0.0, 0.0))
    buffer.add(3 * SECOND, PlanarPose(2.0, 0.0, 0.0, 0.0))
    assert len(buffer) == 1
    assert buffer.newest == 3 * SECOND


def test_a_jump_of_odometry_is_counted_and_nothing_is_interpolated_across_it() -> None:
    buffer = OdometryBuffer()
    for tenth in range(3):
        assert not buffer.add(tenth * SECOND // 10, PlanarPose(0.1 * tenth, 0.0, 0.0, 0.0))
    assert (buffer.jumps, buffer.jump) == (0, None)
    assert buffer.add(3 * SECOND // 10, PlanarPose(60.2, -80.0, 0.0, 0.0))
    assert (buffer.jumps, buffer.jump) == (1, "odometry jumped by 100.0 m within 0.10 s")
    assert buffer.at(SECOND // 4) is None
    assert buffer.at(SECOND // 10) is None  # in another frame than what comes
    there = PlanarPose(60.3, -80.0, 0.0, 0.0)
    assert buffer.guess_at(4 * SECOND // 10) == PlanarPose(60.2, -80.0, 0.0, 0.0)
    assert not buffer.add(4 * SECOND // 10, there)
    assert buffer.at(4 * SECOND // 10) == there
    assert buffer.jumps == 1


def test_a_jump_is_told_of_for_ten_seconds() -> None:
    buffer = OdometryBuffer()
    buffer.add(0, PlanarPose(0.0, 0.0, 0.0, 0.0))
    far = PlanarPose(900.0, 0.0, 0.0, 0.0)
    buffer.add(SECOND, far)
    buffer.add(SECOND + KEPT, far)
    assert buffer.jump == "odometry jumped by 900.0 m within 1.00 s"
    buffer.add(SECOND + KEPT + 1, far)
    assert (buffer.jumps, buffer.jump) == (1, None)


@pytest.mark.parametrize("forget", ["clear", "time jumps back"])
def test_a_jump_that_lies_in_another_time_is_not_told_of(forget: str) -> None:
    buffer = OdometryBuffer()
    buffer.add(100 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))
    buffer.add(101 * SECOND, PlanarPose(900.0, 0.0, 0.0, 0.0))
    if forget == "clear":
        buffer.clear()
    assert not buffer.add(3 * SECOND, PlanarPose(0.0, 0.0, 0.0, 0.0))  # nor is this a jump
    assert (buffer.jumps, buffer.jump) == (1, None)


@given(st.integers(0, 100), st.floats(0.0, 2.0))
def test_as_far_as_a_robot_can_drive_is_no_jump(seconds: int, share: float) -> None:
    buffer = OdometryBuffer()
    buffer.add(0, PlanarPose(1.0, 2.0, 0.0, 0.0))
    metres = share * 60.0 * (seconds + 0.1)  # m/s, and s by which stamps may be wrong
    # Height is often a barometer's, which does jump.
    jumped = buffer.add(seconds * SECOND, PlanarPose(1.0, 2.0 + metres, 999.0, 3.0))
    assert jumped == (share > 1.0) or share == pytest.approx(1.0)
