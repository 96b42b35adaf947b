from __future__ import annotations

import math

from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.elsewhere import distance, elsewhere
from selavpr_ros.planar_pose import PlanarPose

HERE, LATER = Drive(None, 0), Drive(None, 1)
MAP, OTHER_SEGMENT = Drive("campus", 0), Drive("lake", 0)


def at(x: float, drive: Drive, along: float = 0.0) -> Waypoint:
    return Waypoint(drive, 0, 0, along, PlanarPose(x, 0.0, 99.0 * x, math.nan))


def test_places_are_apart_beyond_25_metres_on_the_ground() -> None:
    for drive in (HERE, MAP):
        assert elsewhere(at(0, drive), at(25.0, drive), 0.05) is False
        assert elsewhere(at(0, drive), at(25.1, drive), 0.05) is True


def test_drift_between_them_is_allowed_for_but_not_in_a_map() -> None:
    assert elsewhere(at(0, HERE, 100), at(30, HERE, 200), 0.05) is False
    assert elsewhere(at(0, HERE, 200), at(30.1, HERE, 100), 0.05) is True
    assert elsewhere(at(0, MAP, 100), at(30, MAP, 200), 0.05) is True


def test_frames_must_be_one() -> None:
    assert elsewhere(at(0, MAP), at(99, OTHER_SEGMENT), 0.0) is True
    assert elsewhere(at(0, HERE), at(99, LATER), 0.0) is None
    assert elsewhere(at(0, HERE), at(99, MAP), 0.0) is None


def test_an_unknown_position_tells_nothing() -> None:
    unknown = Waypoint(HERE, 0, 0, 0.0, None)
    assert elsewhere(unknown, at(99, HERE), 0.0) is None
    assert elsewhere(at(99, HERE), unknown, 0.0) is None


def test_distances_are_in_the_plane_and_in_one_frame() -> None:
    assert distance(at(1.0, MAP), at(4.0, OTHER_SEGMENT)) == 3.0
    assert distance(at(1.0, HERE), at(4.0, LATER)) is None
    assert distance(at(1.0, HERE), at(4.0, MAP)) is None
    assert distance(Waypoint(HERE, 0, 0, 0.0, None), at(4.0, HERE)) is None
