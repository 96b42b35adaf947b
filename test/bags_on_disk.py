"""Real bags that tests write: rosbag2 (sqlite3, mcap, zstd) and ROS 1, with rosbags' own writers.

`write_bag` is all that most tests need:

    write_bag(tmp_path / "drive", images=[(stamp, rgb)], fixes=[(stamp, 55.7, 13.2, 40.0, 9.0, 0)])

Stamps are nanoseconds everywhere. The message builders (`image`, `fix`, ...) are there for tests
that need something unusual in a message; what they return goes into `write_bag(extra=...)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

Storage = Literal["sqlite3", "mcap", "ros1"]
Compression = Literal["none", "file", "message", "storage", "bz2", "lz4"]

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
NAV_SAT_FIX = "sensor_msgs/msg/NavSatFix"
IMU = "sensor_msgs/msg/Imu"
ODOMETRY = "nav_msgs/msg/Odometry"
POSE_STAMPED = "geometry_msgs/msg/PoseStamped"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"

ROS2 = get_typestore(Stores.ROS2_JAZZY)
ROS1 = get_typestore(Stores.ROS1_NOETIC)


class Messages:
    """Builders of message objects, as rosbags has them, for ROS 2 or for ROS 1."""

    def __init__(self, ros1: bool = False) -> None:
        self.store = ROS1 if ros1 else ROS2
        self.ros1 = ros1

    def make(self, type_name: str, **fields: Any) -> Any:
        """A message of any type by its fields."""
        return self.store.types[type_name](**fields)

    def header(self, stamp: int, frame_id: str) -> Any:
        seconds, nanoseconds = divmod(stamp, 1_000_000_000)
        time = self.make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
        seq = {"seq": 0} if self.ros1 else {}
        return self.make("std_msgs/msg/Header", stamp=time, frame_id=frame_id, **seq)

    def image(
        self, stamp: int, rgb: NDArray[np.uint8], encoding: str = "rgb8", frame_id: str = "camera"
    ) -> Any:
        """sensor_msgs/Image of `rgb` [H, W, 3] in rgb8, bgr8 or mono8 (its first channel)."""
        pixels = {"rgb8": rgb, "bgr8": rgb[:, :, ::-1], "mono8": rgb[:, :, :1]}[encoding]
        height, width, channels = pixels.shape
        return self.raw_image(
            stamp, height, width, encoding, width * channels, pixels.tobytes(), frame_id=frame_id
        )

    def raw_image(
        self,
        stamp: int,
        height: int,
        width: int,
        encoding: str,
        step: int,
        data: bytes,
        is_bigendian: int = 0,
        frame_id: str = "camera",
    ) -> Any:
        """sensor_msgs/Image with every field as given."""
        return self.make(
            IMAGE,
            header=self.header(stamp, frame_id),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=is_bigendian,
            step=step,
            data=np.frombuffer(data, np.uint8),
        )

    def compressed_image(
        self, stamp: int, rgb: NDArray[np.uint8], format_: str = "jpeg", frame_id: str = "camera"
    ) -> Any:
        """sensor_msgs/CompressedImage of `rgb`, as "jpeg" (quality 95) or "png"."""
        extension = ".png" if "png" in format_ else ".jpg"
        done, data = cv2.imencode(extension, np.ascontiguousarray(rgb[:, :, ::-1]))
        assert done
        return self.make(
            COMPRESSED_IMAGE,
            header=self.header(stamp, frame_id),
            format=format_,
            data=data.reshape(-1),
        )

    def camera_info(
        self,
        stamp: int,
        width: int,
        height: int,
        k: Sequence[float],
        d: Sequence[float] = (),
        p: Sequence[float] = (0.0,) * 12,
        distortion_model: str = "plumb_bob",
        roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> Any:
        """CameraInfo with the matrices K [9] and P [12], row by row; roi: left, top, w and h."""
        matrices = {"d": d, "k": k, "r": np.eye(3).ravel(), "p": p}
        left, top, part_width, part_height = roi
        return self.make(
            CAMERA_INFO,
            header=self.header(stamp, "camera"),
            height=height,
            width=width,
            distortion_model=distortion_model,
            binning_x=0,
            binning_y=0,
            roi=self.make(
                "sensor_msgs/msg/RegionOfInterest",
                x_offset=left, y_offset=top, height=part_height, width=part_width, do_rectify=False,
            ),
            **{
                name.upper() if self.ros1 else name: np.array(values, np.float64)
                for name, values in matrices.items()
            },
        )  # fmt: skip

    def fix(
        self,
        stamp: int,
        latitude: float,
        longitude: float,
        altitude: float = 0.0,
        variance: float | None = 1.0,
        status: int = 0,
        frame_id: str = "gps",
    ) -> Any:
        """NavSatFix; `variance` in m2 on the diagonal, None for "covariance unknown"."""
        diagonal = np.diag([0.0 if variance is None else variance] * 3).reshape(-1)
        return self.make(
            NAV_SAT_FIX,
            header=self.header(stamp, frame_id),
            status=self.make("sensor_msgs/msg/NavSatStatus", status=status, service=1),
            latitude=latitude,
            longitude=longitude,
            altitude=altitude,
            position_covariance=diagonal,
            position_covariance_type=0 if variance is None else 2,
        )

    def pose(self, x: float, y: float, yaw: float, z: float = 0.0) -> Any:
        return self.make(
            "geometry_msgs/msg/Pose",
            position=self.make("geometry_msgs/msg/Point", x=x, y=y, z=z),
            orientation=self.quaternion(yaw),
        )

    def quaternion(self, yaw: float) -> Any:
        return self.make(
            "geometry_msgs/msg/Quaternion",
            x=0.0,
            y=0.0,
            z=math.sin(yaw / 2),
            w=math.cos(yaw / 2),
        )

    def vector(self) -> Any:
        return self.make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)

    def odometry(
        self,
        stamp: int,
        x: float,
        y: float,
        yaw: float,
        variance: float = 0.01,
        frame: str = "odom",
    ) -> Any:
        """Odometry in the plane, with `variance` on the diagonal of the pose covariance."""
        twist = self.make("geometry_msgs/msg/Twist", linear=self.vector(), angular=self.vector())
        covariance = np.diag([variance] * 6).reshape(-1)
        return self.make(
            ODOMETRY,
            header=self.header(stamp, frame),
            child_frame_id="base_link",
            pose=self.make(
                "geometry_msgs/msg/PoseWithCovariance",
                pose=self.pose(x, y, yaw),
                covariance=covariance,
            ),
            twist=self.make(
                "geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=covariance
            ),
        )

    def pose_stamped(self, stamp: int, x: float, y: float, yaw: float, frame: str = "map") -> Any:
        return self.make(POSE_STAMPED, header=self.header(stamp, frame), pose=self.pose(x, y, yaw))

    def imu(self, stamp: int, yaw: float, variance: float = 0.01, frame_id: str = "imu") -> Any:
        """Imu with an absolute orientation; variance -1 says "no orientation" (REP-145)."""
        diagonal = np.diag([variance] * 3).reshape(-1)
        return self.make(
            IMU,
            header=self.header(stamp, frame_id),
            orientation=self.quaternion(yaw),
            orientation_covariance=diagonal,
            angular_velocity=self.vector(),
            angular_velocity_covariance=diagonal,
            linear_acceleration=self.vector(),
            linear_acceleration_covariance=diagonal,
        )


def write_bag(
    path: Path,
    storage: Storage = "mcap",
    *,
    images: Iterable[tuple[int, NDArray[np.uint8]]] = (),
    fixes: Iterable[tuple[Any, ...]] = (),
    odometry: Iterable[tuple[Any, ...]] = (),
    poses: Iterable[tuple[Any, ...]] = (),
    imu: Iterable[tuple[Any, ...]] = (),
    extra: Iterable[tuple[int, str, str, Any]] = (),
    image_format: Literal["rgb8", "bgr8", "mono8", "jpeg", "png"] = "rgb8",
    compression: Compression = "none",
    image_topic: str | None = None,
    fix_topic: str = "/fix",
    odometry_topic: str = "/odom",
    pose_topic: str = "/pose",
    imu_topic: str = "/imu",
    header_stamps: bool = True,
    bag_delay: int = 0,
) -> Path:
    """Write a bag and return `path`: a rosbag2 folder, or a file (name it *.bag) for "ros1".

    Args:
        path: what to make; must not exist.
        storage: container.
        images: (stamp, rgb [H, W, 3] uint8).
        fixes: (stamp, latitude, longitude, altitude, variance or None, status); the last three
            may be left off.
        odometry: (stamp, x, y, yaw[, variance]).
        poses: PoseStamped as (stamp, x, y, yaw).
        imu: (stamp, yaw[, variance]).
        extra: (stamp, topic, type, message) of any known type, built with `Messages`.
        image_format: raw Image encodings, or "jpeg" / "png" for CompressedImage.
        compression: "file" and "message" are rosbag2's, "storage" mcap's own chunks (all zstd);
            "bz2" and "lz4" are ROS 1's.
        image_topic: /camera/image_raw, or /camera/image_raw/compressed, unless given.
        header_stamps: False leaves the header stamps zero.
        bag_delay: what the bag's stamps are later than the header stamps, ns.

    Messages are written in the order of their stamps; a topic without messages is not written.
    """
    make = Messages(ros1=storage == "ros1")
    compressed = image_format in ("jpeg", "png")
    image_topic = image_topic or "/camera/image_raw" + ("/compressed" if compressed else "")

    def head(stamp: int) -> int:
        return stamp if header_stamps else 0

    rows: list[tuple[int, str, str, Any]] = list(extra)
    for stamp, rgb in images:
        message = (
            make.compressed_image(head(stamp), rgb, image_format)
            if compressed
            else make.image(head(stamp), rgb, image_format)
        )
        rows.append((stamp, image_topic, COMPRESSED_IMAGE if compressed else IMAGE, message))
    rows += [(s, fix_topic, NAV_SAT_FIX, make.fix(head(s), *rest)) for s, *rest in fixes]
    rows += [(s, odometry_topic, ODOMETRY, make.odometry(head(s), *rest)) for s, *rest in odometry]
    rows += [(s, pose_topic, POSE_STAMPED, make.pose_stamped(head(s), *rest)) for s, *rest in poses]
    rows += [(s, imu_topic, IMU, make.imu(head(s), *rest)) for s, *rest in imu]
    rows.sort(key=lambda row: row[0])
    write_messages(path, [(s + bag_delay, *rest) for s, *rest in rows], storage, compression)
    return path


def write_messages(
    path: Path,
    rows: Sequence[tuple[int, str, str, Any]],
    storage: Storage = "mcap",
    compression: Compression = "none",
) -> None:
    """Write (bag stamp, topic, type, message) rows in the order given, which need not be time's."""
    if storage == "ros1":
        writer1 = Writer1(path)
        if compression != "none":
            writer1.set_compression(Writer1.CompressionFormat[compression.upper()])
        with writer1:
            connections1: dict[str, Any] = {}
            for stamp, topic, type_name, message in rows:
                if topic not in connections1:
                    connections1[topic] = writer1.add_connection(topic, type_name, typestore=ROS1)
                writer1.write(connections1[topic], stamp, ROS1.serialize_ros1(message, type_name))
        return
    writer2 = Writer2(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compression != "none":
        writer2.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer2:
        connections2: dict[str, Any] = {}
        for stamp, topic, type_name, message in rows:
            if topic not in connections2:
                connections2[topic] = writer2.add_connection(topic, type_name, typestore=ROS2)
            writer2.write(connections2[topic], stamp, ROS2.serialize_cdr(message, type_name))
