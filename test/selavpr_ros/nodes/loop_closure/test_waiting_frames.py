from __future__ import annotations

from selavpr_ros.nodes.loop_closure.waiting_frames import LONGEST_WAIT, MOST_WAITING, WaitingFrames
from selavpr_ros.planar_pose import PlanarPose

SECOND = 10**9
HERE, THERE = PlanarPose(0.0, 0.0, 0.0, 0.0), PlanarPose(2.0, 0.0, 0.0, 0.0)


def frames(timeout: float = 5.0) -> WaitingFrames[str]:
    return WaitingFrames(timeout, 0.0)


def test_a_frame_waits_for_the_odometry_after_it() -> None:
    waiting = frames()
    waiting.add_odometry(0, HERE, 0.0)
    waiting.add(SECOND // 2, "image", 0.1)
    assert waiting.take(0.1) == []
    waiting.add_odometry(SECOND, THERE, 0.2)
    (frame,) = waiting.take(0.2)
    assert (frame.stamp, frame.item) == (SECOND // 2, "image")
    assert frame.pose is not None
    assert frame.pose.x == 1.0
    assert waiting.take(9.0) == []


def test_frames_keep_their_order() -> None:
    waiting = frames()
    for number in range(3):
        waiting.add(number * SECOND // 4, str(number), 0.0)
    waiting.add_odometry(0, HERE, 0.0)
    assert [frame.item for frame in waiting.take(0.0)] == ["0"]
    waiting.add_odometry(SECOND, THERE, 0.1)
    assert [frame.item for frame in waiting.take(0.1)] == ["1", "2"]


def test_without_odometry_around_it_a_frame_is_let_go_and_counted() -> None:
    waiting = frames()
    waiting.add(SECOND, "before any", 0.0)
    assert waiting.take(LONGEST_WAIT - 0.01) == []
    assert waiting.take(LONGEST_WAIT) == []
    assert waiting.without == 1
    waiting.add_odometry(9 * SECOND, HERE, 1.0)
    waiting.add(8 * SECOND, "too old", 1.0)
    assert waiting.take(1.0) == []
    assert waiting.without == 2


def test_where_odometry_is_silent_frames_come_without_it() -> None:
    waiting = frames(timeout=2.0)
    waiting.add(SECOND, "early", 1.0)
    assert waiting.take(1.9) == []
    assert waiting.silent(2.0)
    waiting.add(2 * SECOND, "late", 2.0)
    assert waiting.take(2.0 + LONGEST_WAIT) == [(2 * SECOND, None, "late", 0)]
    assert waiting.without == 1
    waiting.add_odometry(3 * SECOND, HERE, 3.0)
    assert not waiting.silent(3.5)
    assert waiting.silence(3.5) == 0.5


def test_a_fast_camera_does_not_fill_the_memory() -> None:
    waiting = frames(timeout=0.0)
    for number in range(MOST_WAITING + 3):
        waiting.add(number, str(number), 0.0)
    assert [frame.item for frame in waiting.take(0.0)] == ["0", "1", "2"]


def test_after_a_jump_of_time_nothing_is_left() -> None:
    waiting = frames()
    waiting.add_odometry(0, HERE, 0.0)
    waiting.add(0, "image", 0.0)
    waiting.clear()
    waiting.add_odometry(0, HERE, 0.0)
    assert waiting.take(9.0) == []


def test_where_odometry_jumps_another_run_begins() -> None:
    waiting: WaitingFrames[str] = WaitingFrames(5.0, 0.0, run=3)
    far = PlanarPose(500.0, 0.0, 0.0, 0.0)
    assert not waiting.add_odometry(0, HERE, 0.0)
    waiting.add(0, "before", 0.0)
    assert [frame.run for frame in waiting.take(0.0)] == [3]
    waiting.add(SECOND // 2, "between", 0.1)
    waiting.add(SECOND, "after", 0.2)
    assert waiting.add_odometry(SECOND, far, 0.2)
    assert waiting.take(0.2) == [(SECOND, far, "after", 4)]
    assert (waiting.without, waiting.run) == (1, 4)
