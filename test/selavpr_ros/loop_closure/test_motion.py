from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_ros.loop_closure import motion as module
from selavpr_ros.loop_closure.motion import Motion, estimate, median_angle, rotation_between

PIXEL = 1 / 400  # radians
TURN = np.array([0.03, -0.25, 0.02])


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def views(
    position: tuple[float, float, float],
    seed: int = 0,
    count: int = 120,
    noise: float = 0.3,
    strangers: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors to points at 4 to 25 m, from the origin and by a camera turned by TURN.

    noise: pixels. strangers: points at the end that are not the same.
    """
    rng = np.random.default_rng(seed)
    points = rng.uniform([-8, -5, 4], [8, 5, 25], (count, 3))
    other = points - position
    other[count - strangers :] = rng.uniform([-8, -5, 4], [8, 5, 25], (strangers, 3))
    seen, then = (rays / rays[:, 2:] for rays in (points, other @ rotation()))
    for rays in (seen, then):
        rays[:, :2] += rng.normal(0, noise * PIXEL, (count, 2))
    return unit(seen), unit(then)


def rotation(vector: NDArray[np.float64] = TURN) -> NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)


def essential_of(
    turn: NDArray[np.float64], position: tuple[float, float, float]
) -> NDArray[np.float64]:
    """What takes the first's rays to planes of the second."""
    x, y, z = position
    return np.asarray(turn.T @ np.array([[0, z, -y], [-z, 0, x], [y, -x, 0.0]]))


def found(
    seen: NDArray[np.float64],
    then: NDArray[np.float64],
    turn: NDArray[np.float64],
    position: tuple[float, float, float],
    agreeing: int | None = None,
) -> Motion:
    which = np.arange(len(seen)) < (len(seen) if agreeing is None else agreeing)
    return estimate(essential_of(turn, position), seen, then, which, PIXEL)


def off(motion: Motion) -> float:
    """Radians that the rotation is wrong."""
    return float(np.linalg.norm(cv2.Rodrigues(motion.rotation @ rotation().T)[0]))


@pytest.mark.parametrize("position", [(2.0, 0.0, 0.0), (0.5, 0.1, 3.0), (-1.5, 0.2, -2.0)])
def test_a_motion_is_found_from_an_essential_matrix_that_is_off(
    position: tuple[float, float, float],
) -> None:
    seen, then = views(position)
    slid = rotation(TURN + np.array([0.0, 0.08, 0.01]))
    aside = (position[0] - 1.0, position[1] + 0.3, position[2])
    motion = found(seen, then, slid, aside)
    assert off(motion) < math.radians(0.5)
    assert motion.direction is not None
    assert motion.direction @ position > math.cos(math.radians(3)) * np.linalg.norm(position)


@pytest.mark.parametrize("noise", [0.3, 1.0, 2.0])
def test_errors_are_within_what_is_stated(noise: float) -> None:
    position = (2.0, 0.0, 1.0)
    for seed in range(12):
        motion = found(*views(position, seed, noise=noise), rotation(), position)
        assert off(motion) < 3 * motion.rotation_sigma
        assert motion.direction is not None
        cosine = motion.direction @ position / np.linalg.norm(position)
        assert math.acos(min(cosine, 1)) < 3 * motion.direction_sigma


def test_fewer_and_noisier_points_know_less() -> None:
    position = (2.0, 0.0, 1.0)
    sigmas = [
        found(*views(position, count=count, noise=noise), rotation(), position).rotation_sigma
        for count, noise in ((400, 0.3), (60, 0.3), (60, 3.0))
    ]
    assert sigmas == sorted(sigmas)
    assert sigmas[0] < math.radians(0.5)


def test_matches_that_do_not_agree_do_not_pull() -> None:
    position = (2.0, 0.0, 1.0)
    seen, then = views(position, strangers=30)
    assert off(found(seen, then, rotation(), position, agreeing=90)) < math.radians(1)


WALLS = {"ahead": (0.0, 0.0), "at an angle": (0.4, 0.1)}  # how depth grows to the right and down


def of_wall(
    wall: str, position: tuple[float, float, float], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As views(), of one wall 10 m ahead."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-8, -5, 0], [8, 5, 0], (120, 3))
    points[:, 2] = 10 + points[:, :2] @ WALLS[wall]
    seen, then = (rays / rays[:, 2:] for rays in (points, (points - position) @ rotation()))
    for rays in (seen, then):
        rays[:, :2] += rng.normal(0, 0.7 * PIXEL, (120, 2))
    return unit(seen), unit(then)


def found_by_opencv(seen: NDArray[np.float64], then: NDArray[np.float64]) -> Motion:
    rays = seen[:, :2] / seen[:, 2:], then[:, :2] / then[:, 2:]
    essential, mask = cv2.findEssentialMat(
        *rays, np.eye(3), cv2.USAC_MAGSAC, 0.999, 2 * PIXEL, maxIters=5000
    )
    return estimate(essential, seen, then, mask.ravel() > 0, PIXEL)


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("position", [(1.5, 0, 0), (1.0, 0, 1.0), (-1.2, 0, -0.8), (0, 0, 1.5)])
def test_one_wall_has_two_motions_and_both_are_counted(
    wall: str, position: tuple[float, float, float]
) -> None:
    for seed in range(12):
        motion = found_by_opencv(*of_wall(wall, position, seed))
        assert off(motion) < 3 * motion.rotation_sigma
        if motion.direction is not None:
            cosine = motion.direction @ position / np.linalg.norm(position)
            assert math.acos(min(cosine, 1)) < 3 * motion.direction_sigma


@pytest.mark.parametrize("wall", WALLS)
def test_of_two_motions_the_one_with_all_points_in_front_is_known(wall: str) -> None:
    """Passing a wall: the other motion goes through it, and half of the points are behind."""
    known = []
    for seed in range(12):
        motion = found_by_opencv(*of_wall(wall, (1.5, 0.0, 0.0), seed))
        known.append(motion.direction is not None and motion.rotation_sigma < math.radians(5))
        assert not known[-1] or off(motion) < math.radians(1.5)
    assert np.mean(known) > 0.7


def test_points_that_are_said_to_be_behind_cost_as_outliers_do() -> None:
    position = (2.0, 0.3, 1.0)
    seen, then = views(position, noise=0.0, strangers=20)
    motions = module._Motions(rotation()[None], unit(np.array([position])))
    fit = module._fit(motions, seen, then, PIXEL)
    ahead, behind = module._costs_in_front(motions, fit, seen, then, PIXEL)[:, 0]
    strangers = fit.costs[0]
    assert strangers <= ahead < 1.3 * strangers
    each = math.log1p(module._MOST_BEHIND**2)
    assert behind - ahead == pytest.approx(100 * each, rel=0.15)
    opposite = motions._replace(directions=-motions.directions)
    other = module._fit(opposite, seen, then, PIXEL)
    np.testing.assert_allclose(
        module._costs_in_front(opposite, other, seen, then, PIXEL)[::-1, 0], [ahead, behind]
    )


def test_a_plane_has_two_motions_but_a_turn_and_a_single_point_have_none() -> None:
    one = unit(np.tile([0.1, 0.2, 1.0], (40, 1)))
    for expected, seen, then in (
        (2, *of_wall("ahead", (1.0, 0.0, 1.0), 0)),
        (0, *views((0.0, 0.0, 0.0), noise=0.0)),
        (0, one, one),
    ):
        assert len(module._planar(seen, then, PIXEL).rotations) == expected


def test_a_turn_alone_has_no_direction() -> None:
    """With any essential matrix: all of the right rotation fit, and many of a wrong one nearly."""
    seen, then = views((0.0, 0.0, 0.0))
    for position in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
        motion = found(seen, then, rotation(1.2 * TURN), position)
        assert motion.direction is None or motion.direction_sigma > math.radians(15)
        assert off(motion) < min(3 * motion.rotation_sigma, math.radians(1))


def test_points_that_are_one_tell_nothing() -> None:
    one = unit(np.tile([0.1, 0.2, 1.0], (40, 1)))
    other = unit(np.tile([-0.3, 0.1, 1.0], (40, 1)))
    motion = found(one, other, rotation(), (1.0, 0.0, 0.0))
    assert np.isfinite(motion.rotation).all()
    assert motion.direction is None or motion.direction_sigma > math.radians(15)


POSITIONS = np.array([[2.0, 0.3, 1.0], [-0.5, 0.1, 3.0], [-1.0, -2.0, 0.2]])


@pytest.mark.parametrize("position", POSITIONS.tolist())
@pytest.mark.parametrize("sign", [1, -1])  # of the direction: neither is preferred
def test_the_jacobian_is_what_a_small_step_changes(
    position: tuple[float, float, float], sign: int
) -> None:
    """Where the points fit: elsewhere it leaves out how the distance from a plane is scaled."""
    seen, then = views(position, noise=0.0)
    motions = module._Motions(rotation()[None], sign * unit(np.array([position])))
    fit = module._fit(motions, seen, then, PIXEL)
    np.testing.assert_allclose(fit.residuals, 0, atol=1e-12)
    step = 1e-6
    for axis, expected in enumerate(fit.jacobian[0].T):
        ahead, back = (
            module._fit(module._moved(motions, way * np.eye(5)[None, axis]), seen, then, PIXEL)
            for way in (step, -step)
        )
        changed = (ahead.residuals[0] - back.residuals[0]) / (2 * step)
        assert np.abs(expected).max() > 0.05
        np.testing.assert_allclose(changed, expected, atol=1e-8)


def test_residuals_are_as_large_as_the_errors_of_the_rays() -> None:
    """Which are the same all around each ray, and in both pictures."""
    rng = np.random.default_rng(2)
    for position in POSITIONS:
        seen, then = views(tuple(position), count=2000, noise=0.0)
        seen, then = (unit(rays + rng.normal(0, PIXEL, rays.shape)) for rays in (seen, then))
        motions = module._Motions(rotation()[None], unit(position[None]))
        (residuals,) = module._fit(motions, seen, then, PIXEL).residuals
        assert residuals.std() == pytest.approx(PIXEL, rel=0.05)


def test_a_turn_brings_vectors_onto_each_other() -> None:
    seen, then = views((0.0, 0.0, 0.0), noise=0.0)
    turned = rotation_between(then, seen)
    np.testing.assert_allclose(turned, rotation(), atol=1e-9)
    assert median_angle(seen, then @ turned.T) < 1e-9
    assert median_angle(seen, seen @ rotation().T) == pytest.approx(np.linalg.norm(TURN), rel=0.1)
