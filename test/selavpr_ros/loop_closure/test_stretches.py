from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.loop_closure.stretches import Stretch, Stretches, StretchReason

SECOND = 10**9


def test_the_first_frame_begins_the_first_stretch() -> None:
    stretches = Stretches(max_gap=10.0)
    assert stretches.current is None
    assert stretches.see(5 * SECOND) == "new"
    assert stretches.current == Stretch(0, StretchReason.FIRST, 0.0, 0)


def test_frames_that_follow_belong_to_it() -> None:
    stretches = Stretches(max_gap=10.0)
    stretches.see(0)
    assert [stretches.see(s) for s in (1, SECOND, SECOND, 11 * SECOND)] == ["same"] * 4
    assert stretches.current is not None
    assert stretches.current.number == 0


def test_a_gap_begins_a_new_stretch_of_the_same_clock() -> None:
    stretches = Stretches(max_gap=10.0)
    stretches.see(0)
    assert stretches.see(10 * SECOND + 1) == "new"
    assert stretches.current is not None
    assert stretches.current.reason is StretchReason.GAP
    assert stretches.current.seconds > 10.0
    assert (stretches.current.number, stretches.current.clock) == (1, 0)


def test_a_jump_back_begins_a_new_stretch_of_another_clock() -> None:
    stretches = Stretches(max_gap=10.0)
    stretches.see(100 * SECOND)
    assert stretches.see(98 * SECOND) == "new"
    assert stretches.current == Stretch(1, StretchReason.JUMP_BACK, -2.0, 1)
    assert stretches.see(99 * SECOND) == "same"


def test_another_run_of_odometry_begins_a_new_stretch_of_the_same_clock() -> None:
    stretches = Stretches(max_gap=10.0)
    stretches.see(0, run=4)
    assert stretches.see(SECOND, run=4) == "same"
    assert stretches.see(2 * SECOND, run=5) == "new"
    assert stretches.current == Stretch(1, StretchReason.ODOMETRY_JUMP, 1.0, 0)
    # Who knows nothing of runs goes on with the one there is.
    assert stretches.see(2 * SECOND) == "same"
    assert stretches.see(3 * SECOND, run=5) == "same"
    # A late frame may be of the run before.
    assert stretches.see(3 * SECOND - 1, run=4) == "late"
    assert stretches.see(4 * SECOND, run=5) == "same"
    # A gap says more: it is of the images, too.
    assert stretches.see(60 * SECOND, run=6) == "new"
    assert stretches.current is not None
    assert stretches.current.reason is StretchReason.GAP
    assert stretches.see(61 * SECOND, run=6) == "same"


def test_a_frame_that_was_overtaken_is_late_and_changes_nothing() -> None:
    stretches = Stretches(max_gap=10.0)
    stretches.see(100 * SECOND)
    assert stretches.see(99 * SECOND) == "late"
    assert stretches.see(110 * SECOND) == "same"  # measured from the newest, not from the late one


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_stretches_are_those_of_a_plain_count(seconds: list[int]) -> None:
    stretches = Stretches(max_gap=10.0)
    numbers, clocks, newest = [0], [0], seconds[0]
    for before_or_after in seconds[1:]:
        step = before_or_after - newest
        broken = step < -1 or step > 10
        numbers.append(numbers[-1] + broken)
        clocks.append(clocks[-1] + (step < -1))
        if step != -1:
            newest = before_or_after
    found = []
    for second in seconds:
        stretches.see(second * SECOND)
        assert stretches.current is not None
        found.append((stretches.current.number, stretches.current.clock))
    assert found == list(zip(numbers, clocks, strict=True))
