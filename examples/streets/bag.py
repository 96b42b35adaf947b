"""Write a drive as a rosbag2: JPEG pictures and GPS fixes, as a car's computer records them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from examples.streets.camera import Camera
from examples.streets.drive import NANOSECONDS, Drive
from examples.streets.render import Renderer
from selavpr_core.geodesy import Datum

IMAGE_TOPIC = "/camera/image/compressed"
FIX_TOPIC = "/fix"
_LENS = Camera(0.0, 0.0, 0.0, 0.0)


def write_bag(
    path: Path,
    renderer: Renderer,
    drive: Drive,
    datum: Datum,
    image_rate: float = 2.0,
    fix_rate: float = 5.0,
    sigma: float = 0.5,
    camera: Camera = _LENS,
) -> Iterator[int]:
    """Render a drive and write it to the new rosbag2 folder `path` (mcap), frame by frame.

    Yields the number of frames written so far after each; the bag is complete once the iterator
    is exhausted. `camera` gives the lens and the size of the pictures. Fixes are the drive's own
    positions through `datum`, with a covariance of `sigma` metres (one standard deviation).
    Messages are stamped with when they were taken; in the bag, pictures arrive 40 ms later.
    Raises FileExistsError where the folder is there already.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    types = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        pictures = writer.add_connection(
            IMAGE_TOPIC, "sensor_msgs/msg/CompressedImage", typestore=types
        )
        fixes = writer.add_connection(FIX_TOPIC, "sensor_msgs/msg/NavSatFix", typestore=types)
        header, time = (
            types.types["std_msgs/msg/Header"],
            types.types["builtin_interfaces/msg/Time"],
        )
        image_type = types.types["sensor_msgs/msg/CompressedImage"]
        fix_type = types.types["sensor_msgs/msg/NavSatFix"]
        status_type = types.types["sensor_msgs/msg/NavSatStatus"]

        fix_stamps = drive.stamps_at(fix_rate)
        latitude, longitude, altitude = datum.to_wgs84(drive.at(fix_stamps)[0])
        image_stamps = drive.stamps_at(image_rate)
        # In the order in which the messages arrive.
        arrivals = [(int(stamp), False, row) for row, stamp in enumerate(fix_stamps)]
        arrivals += [(int(stamp) + 40_000_000, True, row) for row, stamp in enumerate(image_stamps)]
        for arrival, is_image, row in sorted(arrivals):
            stamp = int(image_stamps[row] if is_image else fix_stamps[row])
            taken = time(sec=stamp // NANOSECONDS, nanosec=stamp % NANOSECONDS)
            if is_image:
                data = _jpeg(renderer, drive, stamp, camera)
                message = image_type(header(taken, "camera"), format="jpeg", data=data)
                connection, kind = pictures, pictures.msgtype
            else:
                covariance = np.diag([sigma**2, sigma**2, (2 * sigma) ** 2]).ravel()
                message = fix_type(
                    header(taken, "gps"),
                    status=status_type(status=0, service=1),
                    latitude=float(latitude[row]),
                    longitude=float(longitude[row]),
                    altitude=float(altitude[row]),
                    position_covariance=covariance,
                    position_covariance_type=2,  # the diagonal is known
                )
                connection, kind = fixes, fixes.msgtype
            writer.write(connection, arrival, types.serialize_cdr(message, kind))
            if is_image:
                yield row + 1


def _jpeg(renderer: Renderer, drive: Drive, stamp: int, lens: Camera) -> NDArray[np.uint8]:
    positions, headings = drive.at([stamp])
    x, y, z = positions[0]
    picture = renderer.image(replace(lens, x=x, y=y, z=z, yaw=float(headings[0])))
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88]
    )
    return np.asarray(encoded).reshape(-1)
