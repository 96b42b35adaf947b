"""What sensor_msgs/CameraInfo says of a camera, and where it is found.

Messages are taken as they come from rclpy or from recorded bags, those of ROS 1 included: only
their fields are read, so this module needs no ROS.
"""

from __future__ import annotations

from typing import Any, get_args

from selavpr_core.camera import CameraModel, DistortionModel

# What drivers call the models that CameraModel knows by one name.
_MODELS = {"fisheye": "equidistant", "": "plumb_bob"}


def camera_info_topic(images: str) -> str:
    """Return where the CameraInfo of an image topic is by convention: beside it."""
    namespace, slash, _ = images.removesuffix("/compressed").rpartition("/")
    return f"{namespace}{slash}camera_info"


def is_rectified(images: str) -> bool:
    """Tell whether an image topic has the name that rectified images have by convention."""
    return images.removesuffix("/compressed").rpartition("/")[2].startswith("image_rect")


def camera_model(info: Any, rectified: bool) -> CameraModel:
    """Return the camera of a CameraInfo; of a rectified image it is the matrix P.

    Where the image is a part of what the camera sees (`roi`), the camera is that of the part; how
    many of the sensor's pixels make one of the image (`binning`) its size tells.

    Raises:
        ValueError: a camera that is not calibrated or that nobody here can compute with, or a
            message that lacks a field.
    """
    try:
        return _camera_model(info, rectified)
    except (AttributeError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"it is no sensor_msgs/CameraInfo ({error})") from None


def _camera_model(info: Any, rectified: bool) -> CameraModel:
    left, top, width, height = _window(info)
    if rectified:
        p = _numbers(info, "p")
        return CameraModel(width, height, p[0], p[5], p[2] - left, p[6] - top)
    model = _MODELS.get(info.distortion_model, info.distortion_model)
    if model not in get_args(DistortionModel):
        raise ValueError(f"unknown distortion model {model!r}")
    k, coefficients = _numbers(info, "k"), _numbers(info, "d")
    return CameraModel(
        width,
        height,
        k[0],
        k[4],
        k[2] - left,
        k[5] - top,
        coefficients if any(coefficients) else (),
        model,
    )


def _numbers(info: Any, name: str) -> tuple[float, ...]:
    values = getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())  # ROS 1
    return tuple(float(value) for value in values)


def _window(info: Any) -> tuple[int, int, int, int]:
    """Left, top, width and height of what the image shows, in pixels of the calibration."""
    part = info.roi
    if not part.width or not part.height:  # by definition the whole
        return 0, 0, int(info.width), int(info.height)
    return int(part.x_offset), int(part.y_offset), int(part.width), int(part.height)
