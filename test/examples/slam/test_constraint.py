from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from examples.slam.constraint import ClosureNoise, constraint
from examples.slam.track import between, moved
from examples.streets import Camera

NOISE = ClosureNoise()
SIGMAS = {"rotation_sigma": math.radians(1.5), "direction_sigma": math.radians(10.0)}
MATCH = np.array([3.0, -2.0, 0.4])
STEP = np.array([1.5, -0.8, 0.3])  # where the query's camera is, seen by the match's


def closure(
    match: np.ndarray,
    query: np.ndarray,
    direction: bool = True,
    sigmas: dict[str, float] = SIGMAS,
    parallax: float = 0.02,
) -> dict:
    """What verification finds of two cameras, their poses in the plane: without any error."""
    first, second = (Camera(x, y, 1.5, yaw) for x, y, yaw in (match, query))
    vector, _ = cv2.Rodrigues(first.rotation @ second.rotation.T)
    axis = vector.ravel()
    angle = float(np.linalg.norm(axis))
    rotation = [*(axis / angle * math.sin(angle / 2)), math.cos(angle / 2)]
    way = first.to_optical(second.position)
    unit = (way / np.linalg.norm(way)).tolist()
    found = {"rotation": rotation, "direction": unit if direction else None, "parallax": parallax}
    return {"verification": {"geometry": {**found, **sigmas}}}


def test_a_place_alone_is_here_give_or_take() -> None:
    for verification in ({}, {"geometry": {"rotation": None, "direction": None}}):
        step, covariance = constraint({"verification": verification})
        assert not step.any()
        sigmas = (NOISE.distance, NOISE.distance, NOISE.heading)
        assert np.allclose(covariance, np.diag(sigmas) ** 2)


def test_a_measured_turn_is_the_turn_between_the_cameras() -> None:
    step, covariance = constraint(closure(MATCH, moved(MATCH, STEP)))
    assert np.isclose(step[2], STEP[2])
    assert np.isclose(covariance[2, 2], SIGMAS["rotation_sigma"] ** 2)


def test_nothing_is_surer_than_its_floor() -> None:
    least = {"rotation_sigma": NOISE.rotation, "direction_sigma": NOISE.direction}
    tiny = dict.fromkeys(least, 1e-4)
    there = moved(MATCH, STEP)
    floored, sure, less = (
        constraint(closure(MATCH, there, sigmas=sigmas)).covariance
        for sigmas in (least, tiny, SIGMAS)
    )
    assert np.allclose(floored, sure)
    assert np.linalg.det(less) > 4 * np.linalg.det(sure)


def test_the_factor_is_long_in_the_direction_seen_and_narrow_across() -> None:
    step, covariance = constraint(closure(MATCH, moved(MATCH, STEP)))
    bearing = math.atan2(STEP[1], STEP[0])
    assert np.isclose(math.atan2(step[1], step[0]), bearing)
    # In the frame of the query, as gtsam and g2o want it: the way there, turned back.
    along = np.array([math.cos(bearing - STEP[2]), math.sin(bearing - STEP[2])])
    across = np.array([-along[1], along[0]])
    place = covariance[:2, :2]
    assert along @ place @ along > 4 * (across @ place @ across)
    assert abs(along @ place @ across) < 1e-9


@pytest.mark.parametrize("distance", [0.3, 1.0, 3.0, 5.0])
def test_what_is_true_is_likely(distance: float) -> None:
    for bearing in np.arange(0, 6.3, 0.5):
        step = np.array([distance * math.cos(bearing), distance * math.sin(bearing), 0.2])
        said = constraint(closure(MATCH, moved(MATCH, step)))
        left = between(said.step, step)
        assert left @ np.linalg.solve(said.covariance, left) < 7.8  # 95 % of chi squared


def test_without_parallax_the_cameras_stand_together() -> None:
    for parallax, sigma in ((0.005, NOISE.no_parallax), (0.03, NOISE.distance)):
        seen = closure(MATCH, moved(MATCH, STEP), direction=False, parallax=parallax)
        said = constraint(seen)
        assert not said.step[:2].any()
        assert np.allclose(said.covariance[:2, :2], sigma**2 * np.eye(2))


def without(seen: dict, *entries: str, null: bool) -> dict:
    """A closure that does not state them, or states null."""
    geometry = seen["verification"]["geometry"]
    kept = {name: value for name, value in geometry.items() if name not in entries}
    return {"verification": {"geometry": kept | (dict.fromkeys(entries) if null else {})}}


@pytest.mark.parametrize("null", [False, True])
def test_what_has_no_sigma_is_not_known(null: bool) -> None:
    """As in closures that were recorded before they stated any."""
    seen = closure(MATCH, moved(MATCH, STEP))
    alone = constraint({"verification": {}})
    for parallax in ((), ("parallax",)):
        old = constraint(without(seen, "rotation_sigma", "direction_sigma", *parallax, null=null))
        assert np.allclose(old.step, alone.step)
        assert np.allclose(old.covariance, alone.covariance)
    turned = constraint(without(seen, "direction_sigma", null=null))
    assert np.isclose(turned.step[2], STEP[2])
    assert not turned.step[:2].any()
    assert np.allclose(turned.covariance[:2, :2], NOISE.distance**2 * np.eye(2))


@pytest.mark.parametrize("null", [False, True])
def test_a_parallax_that_is_missing_is_not_little(null: bool) -> None:
    seen = closure(MATCH, moved(MATCH, STEP), direction=False, parallax=0.005)
    for missing, sigma in (
        ((), NOISE.no_parallax),
        (("parallax",), NOISE.distance),
        (("rotation_sigma",), NOISE.distance),
    ):
        said = constraint(without(seen, *missing, null=null))
        assert np.allclose(said.covariance[:2, :2], sigma**2 * np.eye(2))


def test_a_direction_upwards_says_nothing_about_the_plane() -> None:
    up = closure(MATCH, moved(MATCH, STEP))
    up["verification"]["geometry"]["direction"] = [0.1, -0.99, 0.1]
    said = constraint(up)
    assert not said.step[:2].any()
    assert np.allclose(said.covariance[:2, :2], NOISE.distance**2 * np.eye(2))


def test_a_camera_that_looks_elsewhere_says_the_same_of_the_robot() -> None:
    mounting = np.array([0.4, -0.2, 2.0])
    robots = MATCH, moved(MATCH, STEP)
    cameras = [moved(robot, mounting) for robot in robots]
    said = constraint(closure(cameras[0], cameras[1]), mounting=tuple(mounting))
    seen = constraint(closure(cameras[0], cameras[1]))
    # The same two cameras, and the robot that each of them is on.
    there = moved(moved(cameras[0], seen.step), between(mounting, np.zeros(3)))
    assert np.allclose(said.step, between(robots[0], there))
    # Errors of the camera's pose, moved to the robot one by one.
    rng = np.random.default_rng(3)
    errors = rng.multivariate_normal(np.zeros(3), 1e-6 * seen.covariance, 20_000)
    robot = between(mounting, np.zeros(3))
    carried = moved(moved(mounting, errors), robot)
    assert np.allclose(np.cov(carried.T), 1e-6 * said.covariance, rtol=0.1, atol=2e-8)
