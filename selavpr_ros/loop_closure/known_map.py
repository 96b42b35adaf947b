"""A loaded map as a drive of long ago."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from selavpr_core.camera import CameraModel
from selavpr_core.retrieval import Localizer
from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.planar_pose import PlanarPose


class KnownMap:
    """Finds keyframes in the map of a localizer; each of its segments is a drive."""

    def __init__(self, localizer: Localizer) -> None:
        self._localizer = localizer
        self._map = localizer.place_map
        steps = np.linalg.norm(np.diff(self._map.positions, axis=0, prepend=np.nan), axis=1)
        starts = np.cumsum([0, *(segment.count for segment in self._map.segments)])[:-1]
        steps[starts[: len(steps)]] = 0.0
        along = steps.cumsum()
        self._along = along - np.repeat(along[starts], [s.count for s in self._map.segments])

    def __len__(self) -> int:
        return len(self._map)

    def find(self, code: ArrayLike | None, descriptor: ArrayLike | None) -> list[Candidate]:
        """Return the places that look like a description, best first."""
        matches = self._localizer.localize(code, descriptor)
        return [Candidate(self.waypoint(m.place), m.similarity, m.hamming) for m in matches]

    def waypoint(self, place: int) -> Waypoint:
        """Return a place, its metres along those of its segment."""
        x, y, z = self._map.positions[place].tolist()
        return Waypoint(
            Drive(self._map.segment_of(place).name, 0),
            place,
            int(self._map.stamps[place]),
            float(self._along[place]),
            PlanarPose(x, y, z, float(self._map.headings[place])),
        )

    def picture(self, place: int) -> bytes | None:
        """Return a place's thumbnail as JPEG; None if it has none or they were left behind."""
        return self._map.thumbnail(place)

    def camera(self, place: int) -> CameraModel | None:
        """Return what took a place's picture; None where the map does not say."""
        return self._map.segment_of(place).camera
