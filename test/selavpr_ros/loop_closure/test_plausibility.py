from __future__ import annotations

import math

import pytest

from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.plausibility import WITNESSES, Plausibility
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

HERE = Drive(None, 0)
MAP = Drive("campus", 0)
SETTINGS = LoopClosureSettings(
    odometry_drift=0.05,
    odometry_yaw_drift=0.0,
    match_distance=5.0,
    match_angle=math.radians(60),
)


def at(along: float, x: float, y: float = 0.0, yaw: float = 0.0, drive: Drive = HERE) -> Waypoint:
    return Waypoint(drive, round(along), 0, along, PlanarPose(x, y, 0.0, yaw))


def like(waypoint: Waypoint) -> Candidate:
    return Candidate(waypoint, 0.9, 0)


def test_drift_is_allowed_for_by_the_metres_driven() -> None:
    plausibility = Plausibility(SETTINGS)
    match = at(0, 0)
    assert plausibility.check_drift(at(100, 9.9), like(match)) == (
        True,
        {"distance": 9.9, "allowed": 10.0},
    )
    assert not plausibility.check_drift(at(100, 10.1), like(match)).passed
    assert plausibility.check_drift(at(200, 14.9), like(match)).passed


@pytest.mark.parametrize(
    ("degrees", "passes"), [(59, True), (-59, True), (61, False), (180, False)]
)
def test_a_camera_that_looks_another_way_cannot_see_the_same(degrees: int, passes: bool) -> None:
    query = at(100, 0, yaw=math.pi + math.radians(degrees))
    verdict = Plausibility(SETTINGS).check_drift(query, like(at(0, 0, yaw=-math.pi)))
    assert verdict.passed is passes


def test_an_error_of_yaw_is_allowed_for_too() -> None:
    settings = LoopClosureSettings(match_angle=0.0, odometry_yaw_drift=0.01)
    plausibility = Plausibility(settings)
    assert plausibility.check_drift(at(10, 0, yaw=0.099), like(at(0, 0))).passed
    assert not plausibility.check_drift(at(10, 0, yaw=0.101), like(at(0, 0))).passed


def test_nothing_is_said_without_odometry_or_of_other_drives() -> None:
    plausibility = Plausibility(SETTINGS)
    unknown = Waypoint(HERE, 3, 0, 0.0, None)
    nothing = (True, {"distance": None, "allowed": None})
    assert plausibility.check_drift(at(100, 999), like(unknown)) == nothing
    assert plausibility.check_drift(unknown, like(at(0, 999))) == nothing
    assert plausibility.check_drift(at(100, 999), like(at(0, 0, drive=MAP))) == nothing
    plausibility.remember(unknown, like(at(0, 0)))
    assert plausibility.check_witnesses(at(100, 0), like(at(0, 0))).evidence["witnesses"] == 0


def closed_after_a_kilometre() -> Plausibility:
    """After 1000 m odometry is 30 m off, and a closure tells so."""
    plausibility = Plausibility(SETTINGS)
    plausibility.remember(at(1000, 30), like(at(0, 0)))
    return plausibility


def test_a_closure_makes_the_next_ones_precise() -> None:
    plausibility = closed_after_a_kilometre()
    query = at(1010, 40)
    right, wrong = like(at(10, 10)), like(at(40, 40))
    for candidate in (right, wrong):
        assert plausibility.check_drift(query, candidate).passed  # either could be
    assert plausibility.check_witnesses(query, right) == (True, {"witnesses": 1, "agreeing": 1})
    assert plausibility.check_witnesses(query, wrong) == (False, {"witnesses": 1, "agreeing": 0})


def test_a_witness_far_from_the_candidate_knows_no_better_than_drift() -> None:
    plausibility = Plausibility(SETTINGS)
    plausibility.remember(at(20, 5), like(at(0, 0)))
    # From there odometry has as far to go as it has all in all.
    verdict = plausibility.check_witnesses(at(520, 45), like(at(500, 0)))
    assert verdict.evidence["witnesses"] == 0


def test_right_closures_outvote_a_wrong_one() -> None:
    plausibility = Plausibility(SETTINGS)
    plausibility.remember(at(1000, 0), like(at(40, 40)))  # wrong: 40 m off
    passed = []
    for n in range(1, 4):
        query, right = at(1000 + n, n), like(at(n, n))
        passed.append(plausibility.check_witnesses(query, right).passed)
        plausibility.remember(query, right)
    assert passed == [False, True, True]


def test_old_witnesses_are_forgotten() -> None:
    plausibility = closed_after_a_kilometre()
    for n in range(1, WITNESSES + 1):
        plausibility.remember(at(1000 + n, 60 + n), like(at(n, n)))  # the robot was carried 30 m
    verdict = plausibility.check_witnesses(at(1010, 70), like(at(10, 10)))
    assert verdict == (True, {"witnesses": WITNESSES, "agreeing": WITNESSES})


def test_closures_between_other_drives_push_no_witness_out() -> None:
    plausibility = closed_after_a_kilometre()
    for n in range(WITNESSES + 1):
        plausibility.remember(at(1000 + n, 30 + n), like(at(n, n, drive=MAP)))
    assert not plausibility.check_witnesses(at(1010, 40), like(at(40, 40))).passed


@pytest.mark.parametrize("turn", [0.0, 1.0, math.pi, -2.5])
def test_one_closure_with_a_map_tells_where_the_next_ones_lie(turn: float) -> None:
    """The map's frame is turned by `turn` and shifted to where the odometry frame's is."""

    def in_map(x: float, y: float, along: float) -> Candidate:
        cos, sin = math.cos(turn), math.sin(turn)
        moved = 100 + cos * x - sin * y, -50 + sin * x + cos * y
        return like(at(along, *moved, yaw=turn, drive=MAP))

    plausibility = Plausibility(SETTINGS)
    first = in_map(3, 4, 500)
    assert plausibility.check_witnesses(at(20, 3, 4), first).passed  # there is nobody to ask
    plausibility.remember(at(20, 3, 4), first)
    query = at(40, 23, 4)
    assert plausibility.check_witnesses(query, in_map(23, 4, 520)).passed
    assert not plausibility.check_witnesses(query, in_map(23, 44, 560)).passed
    assert not plausibility.check_witnesses(query, in_map(-27, 4, 530)).passed


def test_a_map_without_headings_is_held_to_its_distances() -> None:
    def place(x: float, y: float) -> Candidate:
        return like(at(0, x, y, yaw=math.nan, drive=MAP))

    plausibility = Plausibility(SETTINGS)
    plausibility.remember(at(0, 0), place(100, 100))
    assert plausibility.check_witnesses(at(30, 30), place(100, 130)).passed
    assert not plausibility.check_witnesses(at(30, 30), place(100, 190)).passed
