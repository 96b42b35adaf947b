"""Camera messages to RGB pixels: one converter for messages of rclpy and of recorded bags."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_ros.errors import ImageError

_CHANNELS = {"mono8": 1, "8UC1": 1, "rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4}


def to_rgb(message: Any) -> NDArray[np.uint8]:
    """RGB pixels `[H, W, 3]` uint8, contiguous, of a sensor_msgs Image or CompressedImage.

    Raises:
        ImageError: the image cannot be decoded; names encoding, step and size.
    """
    if not hasattr(message, "encoding"):
        data = np.frombuffer(message.data, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
        if image is None:
            raise ImageError(f"CompressedImage of format {message.format!r} cannot be decoded")
        return np.ascontiguousarray(image)
    encoding, height, width = message.encoding, message.height, message.width
    if encoding not in _CHANNELS:
        raise ImageError(f"encoding {encoding!r} is not supported")
    channels = _CHANNELS[encoding]
    step = message.step or width * channels
    data = np.frombuffer(message.data, np.uint8)
    rows = np.lib.stride_tricks.as_strided(data, (height, width, channels), (step, channels, 1))
    if channels == 1:
        return np.repeat(rows, 3, axis=2)
    if encoding in ("bgr8", "8UC3", "bgra8"):
        return np.ascontiguousarray(rows[:, :, 2::-1])
    return np.ascontiguousarray(rows[:, :, :3])
