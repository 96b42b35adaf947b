from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.place_filter import Motion
from selavpr_core.retrieval.localizer import Match
from selavpr_ros.nodes.localization import follower
from selavpr_ros.nodes.localization.follower import Follower
from selavpr_ros.planar_pose import PlanarPose

SECOND = 1_000_000_000
SPACING = 2.0


class Street(NamedTuple):
    """What a follower reads of a map: two drives of 60 places each, 300 m apart."""

    positions: NDArray[np.float64]
    headings: NDArray[np.float32]
    position_sigmas: NDArray[np.float32]
    heading_sigmas: NDArray[np.float32]

    def numbered_segments(self) -> list[tuple[Any, range]]:
        return [(None, range(60)), (None, range(60, 120))]


@pytest.fixture
def street() -> Street:
    along = SPACING * np.arange(60)
    positions = np.zeros((120, 3))
    positions[:60, 0] = positions[60:, 0] = along
    positions[60:, 1] = 300.0
    return Street(
        positions,
        np.zeros(120, np.float32),
        np.full(120, 0.3, np.float32),
        np.full(120, 0.05, np.float32),
    )


def matches(best: int, rng: np.random.Generator, twin: int | None = None) -> list[Match]:
    """All 120 places: the best stands out, and so does its twin, a little more."""
    similarities = rng.normal(0.2, 0.05, 120)
    similarities[best] = 0.8
    if twin is not None:
        similarities[twin] = 0.82
    order = np.argsort(-similarities)
    return [Match(int(p), float(similarities[p]), 0, r, r) for r, p in enumerate(order)]


class Recorded(NamedTuple):
    motion: Motion | None
    seconds: float


class Recorder:
    """Stands for the filter: keeps what it is told, and when it was reset."""

    def __init__(self, *map_columns: Any, **more_columns: Any) -> None:
        self.told: list[Recorded | str] = []

    def reset(self) -> None:
        self.told.append("reset")

    def update(self, places: Any, similarities: Any, motion: Any, seconds: float) -> None:
        self.told.append(Recorded(motion, seconds))


@pytest.fixture
def recorded(street: Street, monkeypatch: pytest.MonkeyPatch) -> tuple[Follower, list[Any]]:
    """A follower, and what its filter is told after the beginning."""
    monkeypatch.setattr(follower, "PlaceFilter", Recorder)
    follow: Any = Follower(street)  # type: ignore[arg-type]
    follow.follow(1, 0, 100 * SECOND, [], PlanarPose(1.0, 2.0, 0.0, math.pi / 2))
    told = follow._filter.told
    assert told[-1] == Recorded(None, 0.0)
    told.clear()
    return follow, told


def test_the_motion_is_that_of_odometry_in_the_frame_of_the_pose_before(
    recorded: tuple[Follower, list[Any]],
) -> None:
    follow, told = recorded
    # Heading along y, three metres ahead and one to the left.
    follow.follow(2, 0, 100 * SECOND + SECOND // 2, [], PlanarPose(0.0, 5.0, 9.0, math.pi))
    (step,) = told
    assert step.seconds == 0.5
    assert step.motion[:3] == pytest.approx((3.0, 1.0, math.pi / 2))


def test_where_odometry_is_silent_nothing_says_how_the_robot_moved(
    recorded: tuple[Follower, list[Any]],
) -> None:
    follow, told = recorded
    follow.follow(2, 0, 101 * SECOND, [], None)
    # What moved until here is not counted twice.
    follow.follow(3, 0, 102 * SECOND, [], PlanarPose(9.0, 2.0, 0.0, 0.0))
    follow.follow(4, 0, 103 * SECOND, [], PlanarPose(10.0, 2.0, 0.0, 0.0))
    assert [step.motion is None for step in told] == [True, True, False]
    assert told[2].motion.dx == pytest.approx(1.0)


def test_odometry_that_jumped_says_nothing_of_the_motion(
    recorded: tuple[Follower, list[Any]],
) -> None:
    """A jump of 100 m would be a motion between images that come seconds apart."""
    follow, told = recorded
    follow.follow(2, 0, 105 * SECOND, [], PlanarPose(101.0, 2.0, 0.0, 0.0), run=1)
    follow.follow(3, 0, 106 * SECOND, [], PlanarPose(102.0, 2.0, 0.0, 0.0), run=1)
    assert [step.motion is None for step in told] == [True, False]
    assert told[1].motion.dx == pytest.approx(1.0)


def test_it_begins_anew_with_the_first_frame_after_those_that_were_forgotten(
    recorded: tuple[Follower, list[Any]],
) -> None:
    follow, told = recorded
    here = PlanarPose(0.0, 0.0, 0.0, 0.0)
    # Frames 2 and 3 had come when the node forgot: 2 was in work then.
    follow.follow(2, 3, 101 * SECOND, [], here)
    follow.follow(3, 3, 102 * SECOND, [], here)
    assert "reset" not in told
    follow.follow(4, 3, 103 * SECOND, [], here)
    assert told[-2:] == ["reset", Recorded(None, 0.0)]
    told.clear()
    follow.follow(5, 3, 104 * SECOND, [], here)
    assert told[0].motion is not None
    # Forgotten twice while no frame came.
    follow.follow(6, 5, 105 * SECOND, [], here)
    assert told[1:] == ["reset", Recorded(None, 0.0)]


def test_it_begins_anew_where_stamps_jump_back(recorded: tuple[Follower, list[Any]]) -> None:
    follow, told = recorded
    here = PlanarPose(0.0, 0.0, 0.0, 0.0)
    follow.follow(2, 0, 100 * SECOND, [], here)  # the same instant is no jump
    assert told[0].seconds == 0.0
    follow.follow(3, 0, 100 * SECOND - 1, [], here)
    assert told[1:] == ["reset", Recorded(None, 0.0)]


@pytest.mark.parametrize("odometry", [True, False])
def test_a_look_alike_does_not_move_a_robot_that_is_localised(
    street: Street, odometry: bool
) -> None:
    rng = np.random.default_rng(1)
    follow = Follower(street)  # type: ignore[arg-type]
    states, errors = [], []
    for number in range(1, 51):
        twin = 60 + number if number % 5 == 0 else None  # on the other drive
        moved = PlanarPose(SPACING * number, 0.0, 0.0, 0.0) if odometry else None
        belief = follow.follow(number, 0, number * SECOND, matches(number, rng, twin), moved)
        states.append(belief.state)
        errors.append(np.hypot(*(belief.position - street.positions[number])[:2]))
    assert states[0] != "localised"  # one image alone does not do
    assert set(states[15:]) == {"localised"}
    assert max(errors[15:]) < 2 * SPACING
