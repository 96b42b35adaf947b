from __future__ import annotations

import math

import pytest

from selavpr_core.camera import CameraModel

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
    ],
)
def test_a_camera_that_nobody_can_compute_with_is_refused(wrong: dict[str, object]) -> None:
    good = {"width": 640, "height": 480, "fx": 500.0, "fy": 500.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(ValueError, match=r"camera|distortion|coefficients"):
        CameraModel(**{**good, **wrong})  # type: ignore[arg-type]
