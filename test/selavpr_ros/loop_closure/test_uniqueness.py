from __future__ import annotations

import pytest

from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.loop_closure.uniqueness import RATIO, Uniqueness
from selavpr_ros.planar_pose import PlanarPose

HERE, LATER, MAP = Drive(None, 0), Drive(None, 1), Drive("campus", 0)
SETTINGS = LoopClosureSettings(odometry_drift=0.0, agreement_reach=2, agreement_window=3)
REACH = 6  # keyframes of one drive that are one place, without positions
QUERY = Waypoint(HERE, 500, 0, 0.0, None)


def seen(number: int, drive: Drive = HERE, x: float | None = None) -> Candidate:
    pose = None if x is None else PlanarPose(x, 0.0, 0.0, 0.0)
    return Candidate(Waypoint(drive, number, 0, 0.0, pose), 0.9, 0)


class Pictures:
    """How many inliers each candidate has with the query, and which were asked for."""

    def __init__(self, inliers: dict[Candidate, int]) -> None:
        self.inliers = {candidate.waypoint: count for candidate, count in inliers.items()}

    def __call__(self, query: Waypoint, match: Waypoint) -> int:
        assert query == QUERY
        return self.inliers[match]

    def test(self) -> Uniqueness:
        made = Uniqueness(SETTINGS, self)
        made.begin([Candidate(waypoint, 0.9, 0) for waypoint in self.inliers])
        return made


def unique(inliers: dict[Candidate, int], candidate: Candidate) -> bool:
    return Pictures(inliers).test().check(QUERY, candidate).passed


def test_a_place_must_fit_clearly_better_than_any_elsewhere() -> None:
    best, twin = seen(3), seen(200)
    rival = 50
    enough = round(RATIO * rival)
    assert unique({best: enough, twin: rival}, best)
    assert not unique({best: enough - 1, twin: rival}, best)
    assert not unique({best: enough, twin: rival}, twin)
    assert not unique({best: 90, twin: 10, seen(300): 80}, best)


def test_what_was_found_is_said() -> None:
    best, twin = seen(3), seen(200)
    verdict = Pictures({best: 90, twin: 80}).test().check(QUERY, best)
    assert verdict == (False, {"inliers": 90, "rival": 80})
    alone = Pictures({best: 90}).test().check(QUERY, best)
    assert alone == (True, {"inliers": 90, "rival": 0})


@pytest.mark.parametrize(("apart", "passes"), [(REACH, True), (REACH + 1, False)])
def test_without_positions_what_is_near_in_a_drive_is_one_place(apart: int, passes: bool) -> None:
    assert unique({seen(100): 50, seen(100 + apart): 50}, seen(100)) is passes
    assert unique({seen(100): 50, seen(100 - apart): 50}, seen(100)) is passes


@pytest.mark.parametrize("other", [LATER, MAP])
def test_numbers_of_other_drives_say_nothing(other: Drive) -> None:
    assert not unique({seen(100): 50, seen(101, other): 50}, seen(100))


def test_positions_decide_where_they_are_known() -> None:
    first, second_lap, twin = seen(10, x=0.0), seen(300, x=20.0), seen(12, x=26.0)
    assert unique({first: 50, second_lap: 50}, first)
    assert not unique({first: 50, twin: 50}, first)
    place, same = seen(1, MAP, 5.0), seen(90, Drive("other segment", 0), 25.0)
    assert unique({place: 50, same: 50}, place)


def test_laps_that_closures_tie_are_one_place() -> None:
    """First lap: 100. Second: 200, found to be there. Third, 300, was found in the second."""
    laps = {seen(100): 50, seen(200): 50, seen(300): 50}
    uniqueness = Pictures(laps).test()
    assert not uniqueness.check(QUERY, seen(200)).passed
    uniqueness.remember(seen(198).waypoint, seen(101))
    assert not uniqueness.check(QUERY, seen(200)).passed  # 300 could be anywhere
    uniqueness.remember(seen(303).waypoint, seen(198))
    for candidate in laps:
        assert uniqueness.check(QUERY, candidate).passed
    # Closures far from them tie nothing.
    assert not unique({**laps, seen(400): 50}, seen(100))


def test_a_session_and_its_map_are_one_place_once_a_closure_ties_them() -> None:
    both = {seen(7, MAP, 1.0): 50, seen(60, HERE, 900.0): 50}
    uniqueness = Pictures(both).test()
    assert not uniqueness.check(QUERY, seen(60, HERE, 900.0)).passed
    uniqueness.remember(seen(62).waypoint, seen(9, MAP, 3.0))
    for candidate in both:
        assert uniqueness.check(QUERY, candidate).passed
