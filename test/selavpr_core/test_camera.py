from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_core.camera import CameraModel, DistortionModel, undistorted

PINHOLE = CameraModel(640, 480, 500.0, 510.0, 310.0, 250.0)


@pytest.mark.parametrize(
    "size", [(640, 480), (320, 240), (213, 160), (320, 239), (512, 384), (1280, 960)]
)
def test_a_picture_of_its_shape_can_be_the_cameras(size: tuple[int, int]) -> None:
    assert PINHOLE.fits(size)


@pytest.mark.parametrize("size", [(480, 640), (640, 360), (640, 470), (100, 37), (320, 237)])
def test_a_picture_of_another_shape_cannot(size: tuple[int, int]) -> None:
    assert not PINHOLE.fits(size)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fx": 0.0},  # what drivers publish before calibration
        {"fy": -3.0},
        {"fx": 6.0},
        {"fy": 1e5},
        {"cx": math.nan},
        {"width": 0},
        {"height": 10**400},
        {"distortion": (0.1, 0.2, 0.3)},
        {"distortion": (0.1,) * 5, "model": "equidistant"},
        {"model": "mei"},
        {"distortion": (100.0, 0.0, 0.0, 0.0, 0.0)},
        {"distortion": (-1.0, 0.0, 0.0, 0.0)},
        {"distortion": (1e3, -1e3, 0.0, 0.0, 1e3)},
        {"distortion": (0.0, 0.0, 1.0, 1.0)},
        {"distortion": (1e300,) * 5},
        {"distortion": (-1.0, 0.0, 0.0, 0.0), "model": "equidistant"},
        {"distortion": (1e300,) * 4, "model": "equidistant"},
        # Pixels that come back where they were: squeezed towards the axis, and folded.
        {"distortion": (100.0, 0.0, 0.0, 0.0), "model": "equidistant"},
        {"distortion": (1000, 0, 0, 0), "model": "equidistant"},
        {"distortion": (10.0, -30.0, 0.0, 0.0), "model": "equidistant", "fx": 300.0, "fy": 300.0},
        {"distortion": (100.0, -100.0, 0.0, 0.0), "model": "equidistant"},
    ],
)
def test_a_camera_that_nobody_can_compute_with_is_refused(wrong: dict[str, object]) -> None:
    good = {"width": 640, "height": 480, "fx": 500.0, "fy": 500.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(ValueError, match=r"camera|distortion|coefficients"):
        CameraModel(**{**good, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "focal", "distortion", "model"),
    [
        ((1280, 720), 912.0, (0.1548, -0.4848, -0.0009, 0.0002, 0.4379), "plumb_bob"),  # D435i
        ((752, 480), 458.0, (-0.2834, 0.0740, 0.0002, 0.0), "plumb_bob"),  # EuRoC
        ((1392, 512), 959.0, (-0.3691, 0.1968, 0.0014, 0.0006, -0.0677), "plumb_bob"),  # KITTI
        ((640, 480), 517.0, (0.2624, -0.9531, -0.0054, 0.0026, 1.1633), "plumb_bob"),  # TUM fr1
        ((1920, 1080), 900.0, (-0.25, 0.08, 0.0, 0.0, -0.012), "plumb_bob"),  # 94 degrees wide
        ((848, 800), 286.0, (-0.005, 0.038, -0.036, 0.006), "equidistant"),  # T265
        ((1280, 800), 200.0, (0.05, -0.01, 0.002, 0.0), "equidistant"),  # sees behind itself
        ((1280, 960), 386.0, (0.05, 0.0, 0.0, 0.0), "equidistant"),  # 190 degrees wide, or more
        ((1280, 960), 386.0, (-0.05, 0.0, 0.0, 0.0), "equidistant"),
        ((512, 512), 191.0, (0.0035, 0.0007, -0.0021, 0.0002), "equidistant"),  # TUM VI
        ((640, 480), 278.7, (-0.0136, 0.0207, -0.0128, 0.0025), "equidistant"),  # FPV drones
        ((640, 480), 300.0, (-1 / 6, 1 / 120, -1 / 5040, 0.0), "equidistant"),  # orthographic
        ((640, 480), 300.0, (1 / 12, 1 / 120, 0.0, 0.0), "equidistant"),  # stereographic
        ((640, 480), 300.0, (0.333, 0.133, 0.054, 0.022), "equidistant"),  # has no distortion
        ((752, 480), 458.0, (0.2, 1.5, -5.0, 8.0), "equidistant"),  # fits a narrow lens
        (
            (1280, 720),
            606.0,
            (0.5166, -2.6312, 0.0006, -0.0002, 1.5203, 0.3974, -2.456, 1.4484),
            "rational_polynomial",
        ),  # Azure Kinect, colour
        (
            (1024, 1024),
            504.0,
            (5.2666, 3.5199, 0.0, 0.0, 0.1804, 5.5957, 5.3386, 0.9496),
            "rational_polynomial",
        ),  # Azure Kinect, depth: 120 degrees
        (
            (1920, 1080),
            1498.0,
            (22.92, -75.28, -0.0009, -0.0002, 68.97, 22.7, -74.56, 68.5),
            "rational_polynomial",
        ),  # OAK-D
        (
            (640, 480),
            500.0,
            (-0.2, 0.05, 0, 0, 0, 0, 0, 0, 0.001, 0, 0.001, 0, 0.01, 0.01),
            "rational_polynomial",
        ),  # a tilted sensor
    ],
)
def test_lenses_that_there_are_can_be_computed_with(
    size: tuple[int, int], focal: float, distortion: tuple[float, ...], model: DistortionModel
) -> None:
    middle = (size[0] - 1) / 2, (size[1] - 1) / 2
    camera = CameraModel(*size, focal, focal, *middle, distortion, model)
    rows = np.linspace(0.45, 0.55, 5)[:, None] * size
    off = undistorted(camera, rows) - (rows - middle) / focal
    assert np.abs(off).max() < 0.1  # near the middle a lens bends little


@pytest.mark.parametrize(
    ("focal", "distortion", "model", "reach"),
    [
        (160.0, (0.0,) * 4, "equidistant", 160 * math.pi / 2),  # to the side, and not behind
        (330.0, (-0.25, 0.0, 0.0, 0.0), "equidistant", 330 * 0.77),  # its widest ring
        (450.0, (-0.3, 0.0, 0.0, 0.0), "plumb_bob", 450 * 0.70),
        (330.0, (), "plumb_bob", math.inf),
    ],
)
def test_pixels_that_no_ray_falls_on_look_nowhere(
    focal: float, distortion: tuple[float, ...], model: DistortionModel, reach: float
) -> None:
    camera = CameraModel(640, 480, focal, focal, 319.5, 239.5, distortion, model)
    pixels = np.stack(np.meshgrid(np.arange(0, 640, 20.0), np.arange(0, 480, 20.0)), axis=-1)
    pixels = pixels.reshape(-1, 2)
    away = np.linalg.norm(pixels - (319.5, 239.5), axis=1)
    looking = undistorted(camera, pixels)
    assert np.isfinite(looking[away < 0.9 * reach]).all()
    assert np.isnan(looking[away > 1.1 * reach]).all()
    assert np.isnan(looking).any() == (reach < math.inf)
