from __future__ import annotations

import pytest

from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.consistency import Consistency
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.settings import LoopClosureSettings

HERE = Drive(None, 0)
MAP = Drive("campus", 0)


def waypoint(number: int, drive: Drive = HERE) -> Waypoint:
    return Waypoint(drive, number, number, 0.0, None)


def like(number: int, drive: Drive = HERE) -> Candidate:
    return Candidate(waypoint(number, drive), 0.9, 0)


def settings(agreeing: int = 1, window: int = 2, reach: int = 3) -> LoopClosureSettings:
    return LoopClosureSettings(agreeing=agreeing, agreement_window=window, agreement_reach=reach)


def test_a_candidate_alone_does_not_pass() -> None:
    verdict = Consistency(settings()).check(waypoint(50), like(10))
    assert not verdict.passed
    assert verdict.evidence == {"agreeing": 0, "asked": 0}


@pytest.mark.parametrize(("before", "passes"), [(10, True), (13, True), (14, False), (7, True)])
def test_the_keyframe_before_must_have_been_near(before: int, passes: bool) -> None:
    consistency = Consistency(settings())
    consistency.remember(waypoint(49), [like(30), like(before)])
    assert consistency.check(waypoint(50), like(10)).passed is passes


def test_the_reach_grows_with_the_keyframes_between() -> None:
    consistency = Consistency(settings(reach=2))
    consistency.remember(waypoint(47), [like(16)])
    assert consistency.check(waypoint(50), like(10)).passed
    assert not consistency.check(waypoint(50), like(9)).passed


def test_as_many_must_agree_as_are_asked_for() -> None:
    consistency = Consistency(settings(agreeing=2, window=3))
    consistency.remember(waypoint(47), [like(10)])
    consistency.remember(waypoint(48), [like(80)])
    assert consistency.check(waypoint(49), like(10)).evidence == {"agreeing": 1, "asked": 2}
    consistency.remember(waypoint(49), [like(10)])
    assert consistency.check(waypoint(50), like(10)).passed


def test_only_the_last_keyframes_are_asked() -> None:
    consistency = Consistency(settings(window=2))
    consistency.remember(waypoint(47), [like(10)])
    consistency.remember(waypoint(48), [])
    consistency.remember(waypoint(49), [])
    assert not consistency.check(waypoint(50), like(10)).passed


def test_other_drives_say_nothing() -> None:
    consistency = Consistency(settings())
    consistency.remember(waypoint(48, Drive(None, 7)), [like(10)])  # another stretch
    consistency.remember(waypoint(49), [like(10, MAP)])  # another place of that number
    verdict = consistency.check(waypoint(50), like(10))
    assert verdict == (False, {"agreeing": 0, "asked": 1})
    assert consistency.check(waypoint(50), like(11, MAP)).passed
