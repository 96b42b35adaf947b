"""Recorded drives beside a development checkout; protocols are those of the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.loop_closure.recording import Recording, seen_together
from selavpr_ros.bags import BagReader, choose_topic, stamp_of
from selavpr_ros.images import to_rgb
from selavpr_ros.loop_closure import LoopClosureSettings
from selavpr_ros.mapping.recording import IMAGE_TYPES, ODOMETRY_TYPES
from selavpr_ros.planar_pose import PlanarPose, quaternion_yaw
from training.errors import DatasetError

EXCLUDED = 10
"""Frames before a query of rtabmap_samples that it is not compared with."""

_SECOND = 10**9


def rtabmap_samples(data: Path) -> Recording:
    """Return the circuit driven twice; DatasetError where picture and bitmap differ."""
    bitmap = data / "loop" / "samples_GT.bmp"
    pixels = cv2.imread(str(bitmap), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DatasetError(f"{bitmap} cannot be read as a picture: copy it again")
    count = len(pixels)
    paths = [data / "loop" / "rtabmap_samples" / f"{number}.jpg" for number in range(1, count + 1)]
    missing = [path.name for path in paths if not path.is_file()]
    if pixels.shape != (count, count) or missing:
        raise DatasetError(
            f"{paths[0].parent} lacks {len(missing)} of the frames that {bitmap.name} of "
            f"{pixels.shape[1]} x {count} pixels speaks of: copy them again"
        )
    return Recording(
        name="rtabmap_samples",
        rule="bitmap",
        stamps=[number * _SECOND for number in range(count)],
        poses=[None] * count,
        pictures=[path.read_bytes() for path in paths],
        right=np.asarray(pixels) > 127,
        settings=LoopClosureSettings(exclusion_seconds=EXCLUDED),
    )


def toshiki_loop(data: Path) -> Recording:
    """Return the campus loop; BagError, ImageError, or DatasetError for a bag that is not whole."""
    bag = data / "bags" / "toshiki_loop"
    stamps, pictures = [], []
    poses: dict[int, PlanarPose] = {}
    with BagReader(bag) as reader:
        poses_on = choose_topic(reader.topics, ODOMETRY_TYPES, None, "pose")
        images_on = choose_topic(reader.topics, IMAGE_TYPES, None, "image")
        assert poses_on is not None
        assert images_on is not None
        for topic, bag_stamp, message in reader.messages({poses_on, images_on}):
            stamp = stamp_of(message, bag_stamp)
            if topic == images_on:
                stamps.append(stamp)
                bgr = cv2.cvtColor(to_rgb(message), cv2.COLOR_RGB2BGR)
                pictures.append(cv2.imencode(".png", bgr)[1].tobytes())
            else:
                at, turned = message.pose.pose.position, message.pose.pose.orientation
                yaw = quaternion_yaw(turned.x, turned.y, turned.z, turned.w)
                poses[stamp] = PlanarPose(at.x, at.y, at.z, yaw)
        if reader.warnings:
            raise DatasetError(f"{bag} is damaged ({reader.warnings[0]}): copy it again")
    located = [poses.get(stamp) for stamp in stamps]
    known = np.array([pose or (np.nan,) * 4 for pose in located])
    return Recording(
        name="toshiki_loop",
        rule="25 m, 45 degrees",
        stamps=stamps,
        poses=located,
        pictures=pictures,
        right=seen_together(known[:, :2], known[:, 3]),
        settings=LoopClosureSettings(),
        positions=known[:, :2],
    )


READERS: dict[str, tuple[str, Callable[[Path], Recording]]] = {
    "rtabmap_samples": ("loop/rtabmap_samples", rtabmap_samples),
    "toshiki_loop": ("bags/toshiki_loop", toshiki_loop),
}
"""Where each set lies below the data folder, and what reads it from there."""
