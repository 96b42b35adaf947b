"""By which camera a bag's images were taken, as its camera_info says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selavpr_core.camera import CameraModel
from selavpr_ros.bags import TopicInfo, named_topic
from selavpr_ros.camera_info import camera_info_topic, camera_model, is_rectified

CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"
CAMERA_INFO_FLAG = "--camera-info-topic"


class CameraLog:
    """Collects what camera_info says while a bag's images are read.

    Attributes:
        topic: where it says so; None where none was named and the bag has none beside the images.
    """

    def __init__(
        self,
        topics: Mapping[str, TopicInfo],
        images: str,
        given: str | None = None,
        rectified: bool = False,
    ) -> None:
        """Find the CameraInfo of the images.

        Args:
            topics: what the bag holds.
            images: the topic of the images.
            given: the user's choice; None or empty for what is beside the images.
            rectified: whether the images are rectified though their topic has another name.

        Raises:
            BagError: the given topic is absent or of another type.
        """
        filled = sorted(t.name for t in topics.values() if t.type == CAMERA_INFO_TYPE and t.count)
        beside = camera_info_topic(images)
        there = beside in topics and topics[beside].type == CAMERA_INFO_TYPE
        self.topic = beside if there else None
        self._unheard = ""
        if given:
            self.topic = named_topic(topics, (CAMERA_INFO_TYPE,), given, CAMERA_INFO_FLAG)
            self._unheard = f"{self.topic} says nothing: the segment names no camera"
        elif elsewhere := [name for name in filled if name != beside]:
            self._unheard = (
                f"no camera_info beside {images}: the segment names no camera; if one of these is"
                f" of its images, choose it with {CAMERA_INFO_FLAG}: {', '.join(elsewhere)}"
            )
        self._rectified = rectified or is_rectified(images)
        self._messages = 0
        self._unusable = 0
        self._reason = ""  # of the first one that is
        self._cameras: set[CameraModel] = set()
        self._sizes: set[tuple[int, int]] = set()

    def add(self, message: Any) -> None:
        """Take a CameraInfo."""
        self._messages += 1
        try:
            camera = camera_model(message, self._rectified)
        except ValueError as error:
            self._unusable += 1
            self._reason = self._reason or str(error)
            return
        if len(self._cameras) < 2:  # two contradict each other already
            self._cameras.add(camera)

    def saw(self, width: int, height: int) -> None:
        """Take the size of an image that becomes a place, in pixels."""
        self._sizes.add((width, height))

    def result(self) -> tuple[CameraModel | None, list[str]]:
        """Return the camera that took all images, None where it is not known for sure.

        And in one line each what there is against what camera_info says.
        """
        if not self._messages:
            return None, [self._unheard] if self._unheard else []
        problems = []
        if self._unusable:
            problems.append(
                f"{self.topic}: {self._unusable} of {self._messages} messages say nothing of the"
                f" camera (the first: {self._reason})"
            )
        if len(self._cameras) > 1:
            problems.append(f"{self.topic} is not always of one camera: the segment names none")
        if len(self._cameras) != 1:
            return None, problems
        (camera,) = self._cameras
        misfits = sorted(size for size in self._sizes if not camera.fits(size))
        if not misfits:
            return camera, problems
        problems.append(
            f"{self.topic} is of {camera.width} x {camera.height} pixels, which an image of"
            f" {misfits[0][0]} x {misfits[0][1]} is not a smaller copy of: the segment names no"
            " camera"
        )
        return None, problems
