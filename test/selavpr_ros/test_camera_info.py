from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from selavpr_ros.camera_info import camera_info_topic, camera_model, is_rectified
from test.bags_on_disk import Messages

K = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
P = [400.0, 0.0, 321.0, 7.0, 0.0, 410.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def info(
    model: str = "plumb_bob",
    d: tuple[float, ...] = (0.1, 0.0, 0.0, 0.0, 0.0),
    ros1: bool = False,
    **changes: Any,
) -> Any:
    """A CameraInfo of 640 x 480 pixels."""
    matrices = {"k": K, "p": P} | changes
    return Messages(ros1).camera_info(0, 640, 480, d=d, distortion_model=model, **matrices)


@pytest.mark.parametrize("ros1", [False, True])
def test_a_raw_image_has_the_matrix_k_and_a_distortion(ros1: bool) -> None:
    camera = camera_model(info(ros1=ros1), rectified=False)
    assert (camera.width, camera.height) == (640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500.0, 510.0, 320.0, 240.0)
    assert camera.distortion == (0.1, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("ros1", [False, True])
def test_a_rectified_image_has_the_matrix_p_alone(ros1: bool) -> None:
    camera = camera_model(info(ros1=ros1), rectified=True)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (400.0, 410.0, 321.0, 241.0)
    assert camera.distortion == ()


@pytest.mark.parametrize(("rectified", "centre"), [(False, (310.0, 210.0)), (True, (311.0, 211.0))])
def test_the_camera_of_a_part_of_the_image(rectified: bool, centre: tuple[float, float]) -> None:
    camera = camera_model(info(roi=(10, 30, 600, 400)), rectified)
    assert (camera.width, camera.height) == (600, 400)
    assert (camera.cx, camera.cy) == centre


def test_the_names_that_drivers_use() -> None:
    fisheye = camera_model(info("fisheye", (0.1, 0.0, 0.0, 0.0)), rectified=False)
    assert fisheye.model == "equidistant"
    assert camera_model(info("", ()), rectified=False).model == "plumb_bob"
    # Coefficients that are all zero say nothing, however many there are.
    assert camera_model(info("", (0.0,) * 7), rectified=False).distortion == ()


def test_cameras_that_nobody_can_compute_with() -> None:
    with pytest.raises(ValueError, match="distortion model 'omni'"):
        camera_model(info("omni"), rectified=False)
    with pytest.raises(ValueError, match="not calibrated"):
        camera_model(info(k=[0.0] * 9), rectified=False)
    with pytest.raises(ValueError, match="not finite"):
        camera_model(info(d=(float("nan"),) * 5), rectified=False)


@pytest.mark.parametrize(
    "message",
    [
        SimpleNamespace(),
        SimpleNamespace(**{**vars(info()), "k": K[:3]}),
        SimpleNamespace(**{**vars(info()), "k": None}),
        SimpleNamespace(**{**vars(info()), "width": float("inf")}),
    ],
)
def test_what_only_bears_the_name_is_refused(message: Any) -> None:
    """A bag brings definitions of its own."""
    with pytest.raises(ValueError, match="no sensor_msgs/CameraInfo"):
        camera_model(message, rectified=False)


@pytest.mark.parametrize(
    ("images", "beside", "rectified"),
    [
        ("/camera/image_raw", "/camera/camera_info", False),
        ("/camera/image_raw/compressed", "/camera/camera_info", False),
        ("/left/image_rect", "/left/camera_info", True),
        ("/left/image_rect_color/compressed", "/left/camera_info", True),
        ("/rectified/image", "/rectified/camera_info", False),
        ("/image", "/camera_info", False),
        ("image", "camera_info", False),
    ],
)
def test_it_is_beside_the_images(images: str, beside: str, rectified: bool) -> None:
    assert camera_info_topic(images) == beside
    assert is_rectified(images) == rectified
