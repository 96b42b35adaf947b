from __future__ import annotations

import pytest

from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.consistency import Consistency
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

HERE = Drive(None, 0)
MAP = Drive("campus", 0)


def waypoint(number: int, drive: Drive = HERE, x: float | None = None) -> Waypoint:
    pose = None if x is None else PlanarPose(x, 0.0, 0.0, 0.0)
    return Waypoint(drive, number, number, float(number), pose)


def like(number: int, drive: Drive = HERE, x: float | None = None) -> Candidate:
    return Candidate(waypoint(number, drive, x), 0.9, 0)


def settings(agreeing: int = 1, window: int = 2, reach: int = 3) -> LoopClosureSettings:
    return LoopClosureSettings(agreeing=agreeing, agreement_window=window, agreement_reach=reach)


def test_a_candidate_alone_does_not_pass() -> None:
    verdict = Consistency(settings()).check(waypoint(50), like(10))
    assert not verdict.passed
    assert verdict.evidence == {"agreeing": 0, "contradicting": 0, "asked": 0}


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
    evidence = consistency.check(waypoint(49), like(10)).evidence
    assert evidence == {"agreeing": 1, "contradicting": 1, "asked": 2}
    consistency.remember(waypoint(49), [like(10)])
    assert consistency.check(waypoint(50), like(10)).passed


def test_more_keyframes_must_not_contradict_than_agree() -> None:
    consistency = Consistency(settings(window=3))
    consistency.remember(waypoint(47), [like(10)])
    consistency.remember(waypoint(48), [like(80)])
    assert consistency.check(waypoint(49), like(10)).passed  # one against one
    consistency.remember(waypoint(49), [like(81)])
    verdict = consistency.check(waypoint(50), like(10))
    assert verdict == (False, {"agreeing": 1, "contradicting": 2, "asked": 3})
    assert consistency.check(waypoint(50), like(82)).passed


def test_a_keyframe_that_found_nothing_does_not_contradict() -> None:
    consistency = Consistency(settings(window=3))
    consistency.remember(waypoint(47), [like(10)])
    consistency.remember(waypoint(48), [])
    consistency.remember(waypoint(49), [])
    assert consistency.check(waypoint(50), like(10)).passed


@pytest.mark.parametrize(("x", "passes"), [(28.0, True), (30.0, False), (None, False)])
def test_places_of_two_segments_of_a_map_agree_by_their_positions(
    x: float | None, passes: bool
) -> None:
    """As the parts of a drive that autosave wrote do: places have numbers of the whole map."""
    consistency = Consistency(settings())
    consistency.remember(waypoint(47), [like(9, MAP, 15.0)])  # 3 m before the query
    # Within 10 m and these.
    assert consistency.check(waypoint(50), like(10, Drive("lake", 0), x)).passed is passes


def test_stretches_of_a_session_agree_by_nothing() -> None:
    """Odometry may have begun anew between them."""
    consistency = Consistency(settings())
    consistency.remember(waypoint(49), [like(9, HERE, 15.0)])
    assert not consistency.check(waypoint(50), like(10, Drive(None, 1), 15.0)).passed


@pytest.mark.parametrize(("x", "passes"), [(20.0, True), (60.0, False)])
def test_another_lap_past_the_same_place_is_no_contradiction(x: float, passes: bool) -> None:
    consistency = Consistency(settings(window=3))
    consistency.remember(waypoint(207), [like(10, x=0.0)])
    consistency.remember(waypoint(208), [like(110, x=x)])  # odometry may be off by 5 m
    consistency.remember(waypoint(209), [like(111, x=x)])
    verdict = consistency.check(waypoint(210), like(10, x=0.0))
    assert verdict.passed is passes
    assert verdict.evidence["contradicting"] == (0 if passes else 2)


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
    assert verdict == (False, {"agreeing": 0, "contradicting": 1, "asked": 1})
    assert consistency.check(waypoint(50), like(11, MAP)).passed
