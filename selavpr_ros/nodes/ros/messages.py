"""Messages from plain values, and plain values from messages. Imports message types only."""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import (
    Point,
    Pose,
    Quaternion,
    TransformStamped,
    Vector3,
)
from numpy.typing import NDArray
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header

from selavpr_ros.nodes.ros.status import Status
from selavpr_ros.planar_pose import PlanarPose, pose_problem, quaternion_yaw, yaw_quaternion

_FIELD_TYPES = {"f4": PointField.FLOAT32, "i4": PointField.INT32, "u4": PointField.UINT32}


def stamp_nanoseconds(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def time_of(nanoseconds: int) -> Time:
    """A stamp from nanoseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


def type_name(message_type: type) -> str:
    """A message type as ROS spells it, such as sensor_msgs/msg/Image."""
    return f"{message_type.__module__.split('.')[0]}/msg/{message_type.__name__}"


def rgb_image(header: Header, pixels: NDArray[np.uint8]) -> Image:
    """An Image of `[H, W, 3]` uint8 RGB pixels."""
    height, width = pixels.shape[:2]
    return Image(
        header=header,
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=_bytes(pixels),
    )


def diagnostics(stamp: Time, name: str, status: Status) -> DiagnosticArray:
    """A diagnostic array with this one status."""
    entry = DiagnosticStatus(
        level=bytes([status.level]),
        name=name,
        message=status.message,
        hardware_id="",
        values=[KeyValue(key=key, value=value) for key, value in status.values.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[entry])


def transform(stamp: Time, parent: str, child: str, pose: PlanarPose) -> TransformStamped:
    """The transform that places the frame `child` in `parent`."""
    message = TransformStamped(header=Header(stamp=stamp, frame_id=parent), child_frame_id=child)
    message.transform.translation = Vector3(x=pose.x, y=pose.y, z=pose.z)
    message.transform.rotation = quaternion(pose.yaw)
    return message


def planar_pose(pose: Pose) -> PlanarPose:
    """Position and yaw of a geometry_msgs/Pose.

    Raises ValueError where a number is not finite or the quaternion is not of unit norm.
    """
    q = pose.orientation
    p = pose.position
    problem = pose_problem((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
    if problem is not None:
        raise ValueError(problem)
    return PlanarPose(p.x, p.y, p.z, quaternion_yaw(q.x, q.y, q.z, q.w))


def point(position: Sequence[float] | NDArray[np.float64]) -> Point:
    """A position of three metres as a message."""
    x, y, z = (float(value) for value in position)
    return Point(x=x, y=y, z=z)


def quaternion(yaw: float) -> Quaternion:
    """A rotation about z by a yaw in radians; identity for nan."""
    x, y, z, w = yaw_quaternion(yaw)
    return Quaternion(x=x, y=y, z=z, w=w)


def pose_message(position: Sequence[float] | NDArray[np.float64], yaw: float) -> Pose:
    """A position and a yaw as a message; the identity orientation where the yaw is nan."""
    return Pose(position=point(position), orientation=quaternion(float(yaw)))


def point_cloud(header: Header, points: NDArray[Any]) -> PointCloud2:
    """A cloud of points of a structured dtype, field by field; x, y and z are finite."""
    layout = points.dtype.fields
    assert layout is not None  # a structured dtype has fields
    fields = [
        PointField(name=name, offset=entry[1], datatype=_FIELD_TYPES[entry[0].str[1:]], count=1)
        for name, entry in layout.items()
    ]
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=points.dtype.itemsize,
        row_step=points.nbytes,
        data=_bytes(points),
        # Of the positions; other fields, such as a yaw, may be nan.
        is_dense=True,
    )


def _bytes(values: NDArray[Any]) -> array.array[int]:
    """Bytes for a uint8[] field: anything but an array.array is checked element by element."""
    return array.array("B", values.tobytes())
