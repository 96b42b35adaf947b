"""Messages that a robot would send to a node, and how the answers are read. Imports ROS."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import Image


def image_message(rgb: NDArray[np.uint8], seconds: int, nanoseconds: int = 0) -> Image:
    height, width = rgb.shape[:2]
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data = rgb.tobytes()
    message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
    message.header.frame_id = "camera"
    return message


def odometry_message(
    seconds: int, x: float, yaw: float, frame: str = "odom", y: float = 0.0
) -> Odometry:
    message = Odometry(child_frame_id="base_link")
    message.header.frame_id = frame
    message.header.stamp.sec = seconds
    message.pose.pose.position.x, message.pose.pose.position.y = x, y
    message.pose.pose.orientation.z = math.sin(yaw / 2)
    message.pose.pose.orientation.w = math.cos(yaw / 2)
    return message


def at(seconds: int) -> Any:
    return lambda message: message.header.stamp.sec == seconds


def values(status: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in status.values}
