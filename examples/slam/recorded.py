"""A bag's drive: its images, and its odometry as the truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from examples.slam.errors import SlamError
from examples.slam.frames import Footage, Frame
from examples.slam.track import Track
from selavpr_ros.bags import BagReader, choose_topic, stamp_of
from selavpr_ros.camera_info import camera_info_topic, camera_model, is_rectified
from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb
from selavpr_ros.loop_closure import CameraModel
from selavpr_ros.mapping.recording import IMAGE_TYPES, ODOMETRY_TYPES, POSE_TYPES, PoseLog


class Recording:
    """A bag with images and odometry or poses.

    Attributes:
        skipped: frames that no picture could be made of, or that odometry does not cover.
    """

    def __init__(self, bag: Path, image_topic: str | None, pose_topic: str | None) -> None:
        """Name the topics as a user gave them; None to find them by type."""
        self.skipped = 0
        self._bag = bag
        self._image_topic = image_topic
        self._pose_topic = pose_topic

    def footage(self) -> Footage:
        """Read the odometry; frames are read as they are asked for.

        Raises:
            BagError: no such bag, or a topic is missing. SlamError: odometry is of no use.
        """
        with BagReader(self._bag) as reader:
            types = (*ODOMETRY_TYPES, *POSE_TYPES)
            poses = choose_topic(reader.topics, types, self._pose_topic, "pose")
            images = choose_topic(reader.topics, IMAGE_TYPES, self._image_topic, "image")
            assert poses is not None  # a topic that is required is found, or an error is raised
            assert images is not None
            log, camera = PoseLog(), None
            for topic, bag_stamp, message in reader.messages({poses, camera_info_topic(images)}):
                if topic == poses:
                    log.add(stamp_of(message, bag_stamp), message)
                elif camera is None:
                    camera = _camera_model(message, images)
            count = reader.topics[images].count
        found = log.result()
        columns = np.column_stack([found.positions[:, :2], found.yaws])
        good = np.isfinite(columns).all(axis=1)
        if good.sum() < 2:
            raise SlamError(f"{poses} of {self._bag} has no two poses that can be used")
        truth = Track(found.stamps[good], columns[good])
        return Footage(truth, self._frames(images, truth), count, camera, str(self._bag))

    def _frames(self, topic: str, truth: Track) -> Iterator[Frame]:
        with BagReader(self._bag) as reader:
            for _, bag_stamp, message in reader.messages({topic}):
                stamp = stamp_of(message, bag_stamp)
                if not truth.covers(stamp):
                    self.skipped += 1
                    continue
                try:
                    yield Frame(stamp, to_rgb(message))
                except ImageError:
                    self.skipped += 1


def _camera_model(message: Any, images: str) -> CameraModel | None:
    try:
        return camera_model(message, is_rectified(images))
    except ValueError:  # not calibrated: as good as unknown
        return None
