from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.retrieval import Match, margin
from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.margin import Margins
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

HERE, MAP = Drive(None, 0), Drive("campus", 0)
SETTINGS = LoopClosureSettings(margin_threshold=0.1, odometry_drift=0.05)


def seen(
    x: float, similarity: float, drive: Drive = MAP, along: float = 0.0, located: bool = True
) -> Candidate:
    pose = PlanarPose(x, 0.0, 0.0, math.nan) if located else None
    return Candidate(Waypoint(drive, 0, 0, along, pose), similarity, None)


QUERY = seen(0, 1, HERE).waypoint


def margins(*found: Candidate) -> Margins:
    made = Margins(SETTINGS)
    made.begin(found)
    return made


@given(
    st.lists(st.tuples(st.integers(-60, 60), st.floats(-1, 1, width=32)), min_size=1, max_size=9)
)
def test_the_best_place_of_a_map_has_the_margin_of_retrieval(
    places: list[tuple[int, float]],
) -> None:
    places.sort(key=lambda place: -place[1])
    matches = [Match(n, similarity, None, n, None) for n, (_, similarity) in enumerate(places)]
    positions = np.array([[x, 0.0, 0.0] for x, _ in places])
    found = [seen(x, similarity) for x, similarity in places]
    assert margins(*found).of(found[0]) == margin(matches, positions)


def test_a_place_that_looks_less_alike_than_one_elsewhere_has_less_than_nothing() -> None:
    found = seen(0, 0.9), seen(30, 0.85), seen(4, 0.7)
    assert margins(*found).of(found[2]) == pytest.approx(-0.15)
    assert margins(*found).of(found[1]) == pytest.approx(-0.05)


def test_look_alikes_elsewhere_are_refused_by_name() -> None:
    found = seen(0, 0.9), seen(30, 0.85)
    verdict = margins(*found).check(QUERY, found[0])
    assert verdict == (False, {"margin": 0.05, "threshold": 0.1})
    assert margins(found[0], seen(30, 0.79)).check(QUERY, found[0]).passed
    assert margins(found[0], seen(24, 0.9)).check(QUERY, found[0]).passed  # the same place


def test_drift_may_have_carried_one_place_apart() -> None:
    best = seen(0, 0.9, HERE, along=100)
    near, far = seen(34.9, 0.89, HERE, along=300), seen(35.1, 0.88, HERE, along=300)
    assert margins(best, near).of(best) == pytest.approx(1.9)
    assert margins(best, near, far).of(best) == pytest.approx(0.02)
    # A map does not drift: its positions are what there is.
    assert margins(seen(0, 0.9), seen(30, 0.85, along=999)).of(seen(0, 0.9)) == pytest.approx(0.05)


def test_positions_of_other_frames_say_nothing() -> None:
    best = seen(0, 0.9, HERE)
    others = (
        seen(500, 0.89, Drive(None, 1)),
        seen(500, 0.89),
        seen(0, 0.89, HERE, located=False),
    )
    assert margins(best, *others).of(best) == pytest.approx(1.9)
    # The segments of a map share a frame.
    assert margins(seen(0, 0.9), seen(500, 0.8, Drive("lap", 0))).of(seen(0, 0.9)) == pytest.approx(
        0.1
    )


def test_a_place_without_a_position_passes_and_says_so() -> None:
    unknown = seen(0, 0.9, HERE, located=False)
    assert margins(unknown, seen(99, 0.9)).check(QUERY, unknown) == (
        True,
        {"margin": None, "threshold": 0.1},
    )
