"""Where the query frames were really taken, by what their bag recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.demo.errors import DemoError
from examples.demo.topics import Topics
from selavpr_core.errors import GeodesyError
from selavpr_core.geodesy import Datum
from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.errors import BagError
from selavpr_ros.mapping import MappingSettings
from selavpr_ros.mapping.geotag import Geotagger, tag_by_fixes, tag_by_poses
from selavpr_ros.mapping.recording import FixLog, PoseLog
from selavpr_ros.mapping.track import Drop


class Truth:
    """The track of a bag in the frame of a map."""

    def __init__(self, tagger: Geotagger) -> None:
        self._tagger = tagger

    @classmethod
    def of(cls, bag: Path, datum: Datum | None, topics: Topics) -> Truth:
        """Read a bag's fixes, or for a map without datum its odometry or poses.

        Raises DemoError where the bag does not tell positions in the map's frame.
        """
        settings = MappingSettings()
        try:
            with BagReader(bag) as reader:
                log: FixLog | PoseLog
                if datum is not None:
                    topic, log = topics.fix_in(reader), FixLog()
                else:
                    topic, log = topics.pose_in(reader), PoseLog()
                for _, bag_stamp, message in reader.messages({topic}):
                    log.add(stamp_of(message, bag_stamp), message)
            if isinstance(log, FixLog):
                assert datum is not None
                return cls(tag_by_fixes(log.result(), None, datum, settings))
            return cls(tag_by_poses(log.result(), settings))
        except (BagError, GeodesyError) as error:
            kind = "GPS fixes" if datum is not None else "odometry"
            raise DemoError(
                f"the map has its positions from {kind}, so the query bag must have them too: "
                f"{error}"
            ) from error

    @property
    def line(self) -> NDArray[np.float64]:
        """The whole track [N, 2] in metres."""
        return self._tagger.track.positions[:, :2]

    def at(self, stamp: int) -> NDArray[np.float64] | None:
        """Position [2] in metres at a stamp (ns); None where the track cannot tell."""
        pose = self._tagger.tag(stamp)
        return None if isinstance(pose, Drop) else np.asarray(pose.position[:2], float)
