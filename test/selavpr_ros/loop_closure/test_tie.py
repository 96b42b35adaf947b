from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_ros.loop_closure.tie import SURE_YAW, Tie, tie
from selavpr_ros.planar_pose import PlanarPose

Pair = tuple[PlanarPose, PlanarPose]


def moved(pose: PlanarPose, by: PlanarPose) -> PlanarPose:
    cos, sin = math.cos(by.yaw), math.sin(by.yaw)
    return PlanarPose(
        cos * pose.x - sin * pose.y + by.x,
        sin * pose.x + cos * pose.y + by.y,
        pose.z + by.z,
        math.remainder(pose.yaw + by.yaw, math.tau),
    )


def drive(count: int, by: PlanarPose, noise: float = 0.0, turn: float = 0.0) -> list[Pair]:
    """Closures along a bent road, as the session and as the map has them."""
    rng = np.random.default_rng(0)
    pairs = []
    for step in range(count):
        pose = PlanarPose(2.0 * step, 10.0 * math.sin(step / 5), 0.5, math.cos(step / 5))
        there = moved(pose, by)
        x, y = rng.normal(0, 1, 2) * noise
        there = PlanarPose(there.x + x, there.y + y, there.z, there.yaw + turn * rng.normal())
        pairs.append((pose, there))
    return pairs


def found(pairs: list[Pair]) -> Tie:
    answer = tie(pairs, 5.0, 1.0)
    assert answer is not None
    return answer


@settings(deadline=None)  # of a first call on a busy machine
@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-9, 9), st.floats(-3.1, 3.1))
def test_what_fits_exactly_is_found_exactly(x: float, y: float, z: float, yaw: float) -> None:
    by = PlanarPose(x, y, z, yaw)
    answer = found(drive(20, by))
    assert answer.transform[:3] == pytest.approx(by[:3], abs=1e-6)
    assert math.remainder(answer.transform.yaw - yaw, math.tau) == pytest.approx(0, abs=1e-9)
    assert (answer.agreeing, answer.closures) == (20, 20)
    assert answer.rms == pytest.approx(0, abs=1e-6)
    pose = PlanarPose(3.0, -4.0, 1.0, 0.2)
    assert answer.in_session(moved(pose, by))[:3] == pytest.approx(pose[:3], abs=1e-6)


def test_it_is_the_least_squares_of_all_that_agree() -> None:
    """Against a plain search over the yaw, with the shift that is best for each."""
    by = PlanarPose(100.0, -50.0, 0.0, 2.0)
    pairs = drive(30, by, noise=1.0, turn=0.1)
    answer = found(pairs)
    queries, matches = (np.array(poses) for poses in zip(*pairs, strict=True))
    left = matches[:, 3] - queries[:, 3]
    sigma = answer.rms
    turn = math.sqrt(np.mean((np.angle(np.exp(1j * (left - answer.transform.yaw)))) ** 2))

    def cost(yaw: float) -> float:
        turned = np.exp(1j * yaw) * (queries[:, 0] + 1j * queries[:, 1])
        off = turned - (matches[:, 0] + 1j * matches[:, 1])
        off = off - off.mean()
        angles = np.angle(np.exp(1j * (left - yaw)))
        return float((np.abs(off) ** 2).sum() / sigma**2 + (angles**2).mean() / turn**2)

    yaws = np.linspace(1.9, 2.1, 20_001)
    best = yaws[np.argmin([cost(yaw) for yaw in yaws])]
    assert answer.transform.yaw == pytest.approx(best, abs=1e-4)
    assert abs(answer.transform.yaw - 2.0) < 3 * answer.yaw_sigma
    assert answer.yaw_sigma < SURE_YAW


def test_wrong_closures_are_outvoted() -> None:
    by = PlanarPose(10.0, 20.0, 0.0, -1.0)
    pairs = drive(20, by, noise=0.3, turn=0.05)
    wrong = [(query, moved(match, PlanarPose(60.0, 0.0, 0.0, 1.5))) for query, match in pairs[:8]]
    answer = found(pairs + wrong)
    assert (answer.agreeing, answer.closures) == (20, 28)
    assert answer.transform[:2] == pytest.approx(by[:2], abs=1.0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_closures_tell_nothing(count: int) -> None:
    assert tie(drive(count, PlanarPose(1.0, 2.0, 0.0, 0.3)), 5.0, 1.0) is None


def test_closures_at_one_spot_do_not_tell_the_direction() -> None:
    pairs = drive(20, PlanarPose(1.0, 2.0, 0.0, 0.3), noise=1.0, turn=0.3)
    assert tie(pairs, 5.0, 2.0) is not None
    assert tie([pairs[0]] * 4, 5.0, 2.0) is None


def test_closures_that_contradict_each_other_tell_nothing() -> None:
    first = drive(6, PlanarPose(0.0, 0.0, 0.0, 0.0))
    second = drive(6, PlanarPose(100.0, 0.0, 0.0, 2.0))
    assert tie(first + second, 5.0, 1.0) is None


def test_a_map_without_headings_cannot_be_tied_to() -> None:
    pairs = drive(20, PlanarPose(1.0, 2.0, 0.0, 0.3))
    unknown = [(query, match._replace(yaw=math.nan)) for query, match in pairs]
    assert tie(unknown, 5.0, 1.0) is None
    some = unknown[:10] + pairs[10:]
    assert found(some).transform.yaw == pytest.approx(0.3)
