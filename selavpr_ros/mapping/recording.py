"""The first pass over a bag: fixes, poses and orientations as compact arrays.

Messages are thinned to 20 Hz, so an hour takes at most 4 MB a topic (40 bytes a fix, 56 a pose, 48
an orientation), however fast the sensors are. Images are not touched.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.geodesy import MAX_LATITUDE, MIN_LATITUDE

MAX_RATE = 20.0
"""Messages a second that are kept of a topic; vehicles do not turn faster than this follows."""

FIX_TYPES = ("sensor_msgs/msg/NavSatFix",)
ODOMETRY_TYPES = ("nav_msgs/msg/Odometry",)
POSE_TYPES = ("geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/PoseWithCovarianceStamped")
IMU_TYPES = ("sensor_msgs/msg/Imu",)
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class Fixes(NamedTuple):
    """NavSatFix messages in the order of their stamps.

    Attributes:
        stamps: [N] int64 ns, strictly increasing.
        latitudes, longitudes: [N] degrees, NaN where the receiver had no fix.
        altitudes: [N] metres, NaN where unknown.
        sigmas: [N] metres, horizontal standard deviation, NaN where the receiver states none.
    """

    stamps: NDArray[np.int64]
    latitudes: NDArray[np.float64]
    longitudes: NDArray[np.float64]
    altitudes: NDArray[np.float64]
    sigmas: NDArray[np.float64]


class Poses(NamedTuple):
    """Odometry or pose messages in the order of their stamps.

    Attributes:
        stamps: [N] int64 ns, strictly increasing.
        positions: [N, 3] metres in the messages' frame, NaN where not finite.
        yaws: [N] radians, counter-clockwise from the frame's x axis to the body's; NaN unknown.
        sigmas: [N] metres, horizontal standard deviation, NaN where the message states none.
        yaw_sigmas: [N] radians, NaN where the message states none.
        frame: frame_id of the messages.
    """

    stamps: NDArray[np.int64]
    positions: NDArray[np.float64]
    yaws: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    yaw_sigmas: NDArray[np.float64]
    frame: str


class Orientations(NamedTuple):
    """Orientations of an IMU in the order of their stamps; messages that declare none are left out.

    Attributes:
        stamps: [N] int64 ns, strictly increasing.
        quaternions: [N, 4] x, y, z, w: from the sensor to its world frame.
        yaw_sigmas: [N] radians, NaN where the message states none.
    """

    stamps: NDArray[np.int64]
    quaternions: NDArray[np.float64]
    yaw_sigmas: NDArray[np.float64]


class FixLog:
    """Collects NavSatFix messages."""

    def __init__(self) -> None:
        self._good = _Rows(4)
        self._bad = _Rows(4)

    def add(self, stamp: int, message: Any) -> None:
        """Take a message with its stamp in ns."""
        latitude, longitude = float(message.latitude), float(message.longitude)
        usable = (
            int(message.status.status) >= 0
            and MIN_LATITUDE <= latitude <= MAX_LATITUDE
            and -180.0 <= longitude <= 180.0
            # Receivers without a fix report exactly this.
            and not (latitude == 0.0 and longitude == 0.0)
        )
        if not usable:
            self._bad.add(stamp, (math.nan, math.nan, math.nan, math.nan))
            return
        altitude = float(message.altitude)
        covariance = message.position_covariance
        known = int(message.position_covariance_type) != 0
        sigma = _sigma(covariance[0], covariance[4]) if known else math.nan
        self._good.add(
            stamp, (latitude, longitude, altitude if math.isfinite(altitude) else math.nan, sigma)
        )

    def result(self) -> Fixes:
        """Return everything collected."""
        stamps, columns = _merged(self._good, self._bad)
        return Fixes(stamps, columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3])


class PoseLog:
    """Collects Odometry, PoseStamped or PoseWithCovarianceStamped messages."""

    def __init__(self) -> None:
        self._good = _Rows(6)
        self._bad = _Rows(6)
        self._frame = ""

    def add(self, stamp: int, message: Any) -> None:
        """Take a message with its stamp in ns."""
        self._frame = str(message.header.frame_id)
        pose, covariance = message.pose, None
        if hasattr(pose, "covariance"):
            pose, covariance = pose.pose, pose.covariance
        x, y, z = float(pose.position.x), float(pose.position.y), float(pose.position.z)
        if not (math.isfinite(x) and math.isfinite(y)):
            self._bad.add(stamp, (math.nan,) * 6)
            return
        sigma = yaw_sigma = math.nan
        if covariance is not None:
            sigma = _sigma(covariance[0], covariance[7])
            yaw_sigma = _sigma(covariance[35], covariance[35])
        self._good.add(
            stamp,
            (x, y, z if math.isfinite(z) else 0.0, _yaw(pose.orientation), sigma, yaw_sigma),
        )

    def result(self) -> Poses:
        """Return everything collected."""
        stamps, columns = _merged(self._good, self._bad)
        return Poses(
            stamps, columns[:, :3], columns[:, 3], columns[:, 4], columns[:, 5], self._frame
        )


class OrientationLog:
    """Collects the orientations of Imu messages."""

    def __init__(self) -> None:
        self._rows = _Rows(5)

    def add(self, stamp: int, message: Any) -> None:
        """Take a message with its stamp in ns; one that declares no orientation is passed over.

        sensor_msgs/Imu: a first covariance entry of -1 means that there is no orientation.
        """
        q = message.orientation
        quaternion = (float(q.x), float(q.y), float(q.z), float(q.w))
        covariance = message.orientation_covariance
        if float(covariance[0]) < 0 or _unit(quaternion) is None:
            return
        self._rows.add(stamp, (*quaternion, _sigma(covariance[8], covariance[8])))

    def result(self) -> Orientations:
        """Return everything collected."""
        stamps, columns = _merged(self._rows)
        return Orientations(stamps, columns[:, :4], columns[:, 4])


class _Rows:
    """Growing columns of numbers with their stamps, thinned to MAX_RATE."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.stamps = array("q")
        self.values = array("d")
        # A tenth less than the period: sensors of exactly MAX_RATE jitter.
        self._period = int(0.9e9 / MAX_RATE)

    def add(self, stamp: int, values: Sequence[float]) -> None:
        # Messages out of order are few, and are kept.
        if self.stamps and 0 <= stamp - self.stamps[-1] < self._period:
            return
        self.stamps.append(stamp)
        self.values.extend(values)


def _merged(*parts: _Rows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Stamps [N] and columns [N, width] sorted by stamp, of equal stamps the first one."""
    stamps = np.concatenate([np.array(part.stamps, dtype=np.int64) for part in parts])
    columns = np.concatenate(
        [np.array(part.values, dtype=np.float64).reshape(-1, part.width) for part in parts]
    )
    stamps, first = np.unique(stamps, return_index=True)
    return stamps, columns[first]


def _sigma(variance: float, other: float) -> float:
    """Return the larger standard deviation; NaN when the two variances say nothing."""
    largest = max(float(variance), float(other))
    return math.sqrt(largest) if math.isfinite(largest) and largest > 0 else math.nan


def _unit(quaternion: tuple[float, float, float, float]) -> NDArray[np.float64] | None:
    """Return the quaternion scaled to length 1, or None where it is zero or not finite."""
    length = math.sqrt(sum(part * part for part in quaternion))
    if not 0.5 < length < 2.0:
        return None
    return np.array(quaternion) / length


def _yaw(orientation: Any) -> float:
    """Azimuth of the body's x axis in radians; NaN for an invalid quaternion or a vertical axis."""
    unit = _unit((orientation.x, orientation.y, orientation.z, orientation.w))
    if unit is None:
        return math.nan
    x, y, z, w = unit
    east, north = 1 - 2 * (y * y + z * z), 2 * (x * y + z * w)
    return math.atan2(north, east) if math.hypot(east, north) > 0.1 else math.nan
