"""Camera rigs: within their bounds, the horizon where the pitch says, what sensors do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from examples.streets import LIGHTS, Renderer, Rig, Sensor, random_rig
from test.examples.streets.test_render import world_of

SIZE = (160, 120)


def test_random_rigs_cover_what_cameras_are_mounted_like() -> None:
    rigs = [random_rig(seed) for seed in range(300)]
    assert rigs[:10] == [random_rig(seed) for seed in range(10)]
    heights = np.array([rig.height for rig in rigs])
    views = np.degrees([rig.field_of_view for rig in rigs])
    assert 0.4 <= heights.min() < 0.8
    assert 2.2 < heights.max() <= 2.5
    assert 55 <= views.min() < 60
    assert 105 < views.max() <= 110
    assert 0.02 < np.mean([rig.sensor.saturation == 0 for rig in rigs]) < 0.25
    assert np.abs([rig.pitch for rig in rigs]).max() <= np.radians(10)


@pytest.mark.parametrize("pitch", [-6.0, 0.0, 7.0])
def test_the_horizon_is_where_the_pitch_says(pitch: float) -> None:
    rig = Rig(height=1.0, pitch=float(np.radians(pitch)), sway=0.0)
    camera = rig.camera(0.0, 0.0, 0.3, SIZE, np.random.default_rng(1))
    _, inverse_depth = Renderer(world_of(), LIGHTS["overcast"]).draw(camera)
    horizon = np.flatnonzero(inverse_depth[:, 80] > 0)[0]
    assert horizon == pytest.approx(59.5 + camera.focal * np.tan(np.radians(pitch)), abs=1.5)


def test_a_camera_is_mounted_as_the_rig_says() -> None:
    rig = Rig(height=0.7, yaw=0.2, roll=-0.05, field_of_view=1.5, sway=0.0)
    camera = rig.camera(3.0, 4.0, 1.0, SIZE, np.random.default_rng(2))
    assert (camera.x, camera.y, camera.width, camera.height) == (3.0, 4.0, *SIZE)
    assert camera.yaw == pytest.approx(1.2)
    assert camera.roll == pytest.approx(-0.05)
    assert camera.z == pytest.approx(0.7, abs=0.1)
    assert camera.field_of_view == 1.5


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(5)
    coarse = rng.integers(40, 215, (12, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC))


def test_a_sensor_without_faults_leaves_the_picture_as_it_is(picture: np.ndarray) -> None:
    assert np.array_equal(Sensor().take(picture), picture)


def test_each_fault_shows_as_what_it_is(picture: np.ndarray) -> None:
    def mean(sensor: Sensor) -> np.ndarray:
        return sensor.take(picture).reshape(-1, 3).mean(axis=0)

    plain = picture.reshape(-1, 3).mean(axis=0)
    assert (mean(Sensor(exposure=0.4)) > 1.15 * plain).all()
    warm = mean(Sensor(warmth=0.5))
    assert warm[0] > 1.1 * plain[0]
    assert warm[2] < 0.9 * plain[2]
    grey = Sensor(saturation=0.0, warmth=0.5, grain=3.0).take(picture, 1)
    assert np.array_equal(grey[..., 0], grey[..., 1])
    assert np.array_equal(grey[..., 0], grey[..., 2])
    dark = Sensor(vignette=0.4).take(picture)
    assert dark[:10, :10].mean() < 0.8 * picture[:10, :10].mean()
    assert dark[50:70, 70:90].mean() > 0.97 * picture[50:70, 70:90].mean()
    sharp, soft = (
        cv2.Laplacian(p, cv2.CV_32F).std() for p in (picture, Sensor(blur=12.0).take(picture))
    )
    assert soft < 0.9 * sharp


def test_grain_is_as_strong_as_asked_and_of_the_seed() -> None:
    flat = np.full((120, 160, 3), 120, np.uint8)
    noisy = Sensor(grain=5.0).take(flat, 1)
    assert noisy.astype(float).std() == pytest.approx(5.0, abs=0.3)
    assert np.array_equal(noisy, Sensor(grain=5.0).take(flat, 1))
    assert not np.array_equal(noisy, Sensor(grain=5.0).take(flat, 2))


def test_distortion_bends_straight_lines_outwards_and_keeps_the_corners() -> None:
    picture = np.full((121, 161, 3), 255, np.uint8)
    picture[30] = 0  # a straight line above the middle
    bent = Sensor(distortion=0.2).take(picture).min(axis=2)
    rows = [int(np.argmin(bent[:60, column])) for column in (2, 80, 158)]
    assert rows[1] < rows[0] - 1  # barrel: its middle is pushed farther from the picture's
    assert abs(rows[0] - rows[2]) <= 1


def test_quality_is_that_of_the_file(picture: np.ndarray) -> None:
    fine, coarse = Sensor(quality=95).jpeg(picture), Sensor(quality=55).jpeg(picture)
    assert len(coarse) < len(fine)
    again = cv2.cvtColor(cv2.imdecode(np.frombuffer(fine, np.uint8), 1), cv2.COLOR_BGR2RGB)
    assert np.abs(again.astype(int) - picture).mean() < 5
