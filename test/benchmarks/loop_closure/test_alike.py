from __future__ import annotations

import numpy as np
import pytest

from benchmarks.loop_closure import alike
from examples.streets import World
from selavpr_ros.loop_closure.camera import rays


@pytest.fixture(scope="module")
def town() -> World:
    return alike.build_town(3)


def test_every_block_has_the_same_houses(town: World) -> None:
    blocks = len(town.plan.blocks)
    houses = np.reshape(np.array(town.houses, dtype=object), (blocks, -1))
    assert houses.shape[1] == 4 * alike.HOUSES
    for block in range(1, blocks):
        row, column = divmod(block, alike.COLUMNS - 1)
        moved = alike.PITCH * np.array([column, row])
        for first, other in zip(houses[0], houses[block], strict=True):
            assert other.facade.style == first.facade.style
            np.testing.assert_allclose(other.lot.start, first.lot.start + moved, atol=1e-9)
            np.testing.assert_allclose(other.lot.back, first.lot.back + moved, atol=1e-9)


def test_the_circuit_is_driven_three_times_on_lines_of_their_own(town: World) -> None:
    frames = alike.drive(town, seed=3, spacing=4.0)
    count = len(frames.stamps)
    assert (np.diff(frames.stamps) > 0).all()
    steps = np.linalg.norm(np.diff(frames.positions[:, :2], axis=0), axis=1)
    assert steps.sum() == pytest.approx(3 * 6 * alike.PITCH, rel=0.1)
    # In the first third no place comes twice; afterwards each was passed before.
    together = alike.seen_together(frames.positions, frames.headings)
    apart = np.abs(np.arange(count)[:, None] - np.arange(count)) > count // 6
    assert not (together & apart)[: count // 4, : count // 4].any()
    assert (together & apart)[count // 2 :, : count // 3].any(axis=1).mean() > 0.95


def test_odometry_drifts_as_it_says(town: World) -> None:
    frames = alike.drive(town, seed=3, spacing=4.0)
    true = np.linalg.norm(np.diff(frames.positions[:, :2], axis=0), axis=1).sum()
    told = np.linalg.norm(np.diff(frames.odometry[:, :2], axis=0), axis=1).sum()
    assert told / true == pytest.approx(1.015, abs=0.005)
    moved = frames.positions[:, :2] - frames.positions[0, :2]
    errors = np.linalg.norm(frames.odometry[:, :2] - moved, axis=1)
    assert errors[0] == 0
    assert 2.0 < errors.max() < 0.05 * true  # worth a correction, and within what is allowed for


def test_the_camera_model_is_that_of_the_lens() -> None:
    camera = alike.camera_model()
    lens = alike.lens()
    point = np.array([[3.0, -1.0, 0.5]])  # ahead is x
    column, row = lens.project(point)[0]
    ray = rays(camera, np.array([[column, row]], np.float32), alike.SIZE)[0]
    np.testing.assert_allclose(ray, [1 / 3, -0.5 / 3], atol=1e-6)


def test_a_picture_has_the_size_of_the_camera(town: World) -> None:
    frames = alike.drive(town, seed=3, spacing=4.0)
    assert next(alike.pictures(town, frames, 3)).shape == (alike.SIZE[1], alike.SIZE[0], 3)
