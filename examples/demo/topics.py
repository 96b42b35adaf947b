"""Which topics of the bags play which part."""

from __future__ import annotations

from typing import NamedTuple

from selavpr_ros.bags import BagReader, choose_topic
from selavpr_ros.mapping.recording import FIX_TYPES, IMAGE_TYPES, ODOMETRY_TYPES, POSE_TYPES


class Topics(NamedTuple):
    """Names as given by the user, None to find them by type; the same for both bags."""

    image: str | None = None
    fix: str | None = None
    pose: str | None = None

    def image_in(self, reader: BagReader) -> str:
        """The topic of the images in a bag; raises BagError where none or several fit."""
        return _found(choose_topic(reader.topics, IMAGE_TYPES, self.image, "image"))

    def fix_in(self, reader: BagReader) -> str:
        """The topic of the fixes in a bag; raises BagError as `image_in`."""
        return _found(choose_topic(reader.topics, FIX_TYPES, self.fix, "fix"))

    def pose_in(self, reader: BagReader) -> str:
        """The topic of the odometry or poses in a bag; raises BagError as `image_in`."""
        types = (*ODOMETRY_TYPES, *POSE_TYPES)
        return _found(choose_topic(reader.topics, types, self.pose, "pose"))

    def flags(self) -> list[str]:
        """The same choice as arguments of `selavpr build-map`."""
        given = zip(("--image-topic", "--fix-topic", "--pose-topic"), self, strict=True)
        return [word for flag, topic in given if topic is not None for word in (flag, topic)]


def _found(topic: str | None) -> str:
    assert topic is not None  # one that is required is found, or an error is raised
    return topic
