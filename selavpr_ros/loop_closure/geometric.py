"""Geometric verification of candidates on the stored pictures."""

from __future__ import annotations

from array import array
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_map import Session
from selavpr_ros.loop_closure.camera import CameraModel
from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Waypoint
from selavpr_ros.loop_closure.geometry import Features, compare, extract, extract_jpeg
from selavpr_ros.loop_closure.known_map import KnownMap
from selavpr_ros.loop_closure.settings import LoopClosureSettings

_KEPT = 32  # pictures' features in memory, half a megabyte each: neighbours are asked for again


class GeometricVerification:
    """Compares the picture of a query with those of its candidates.

    Features are made when they are first needed: most keyframes have no candidate to compare with.
    """

    def __init__(
        self, settings: LoopClosureSettings, session: Session, known_map: KnownMap | None
    ) -> None:
        """session and known_map keep the pictures."""
        self._settings = settings
        self._session = session
        self._map = known_map
        self._cameras: dict[CameraModel | None, int] = {}  # the different ones, numbered
        self._camera_of = array("i")
        self._stored = lru_cache(_KEPT)(self._load)
        self._picture: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)
        self._features: Features | None = None

    def begin(self, picture: NDArray[np.uint8], camera: CameraModel | None) -> None:
        """Take the picture [H, W, 3] uint8 RGB of the session's next keyframe."""
        self._camera_of.append(self._cameras.setdefault(camera, len(self._cameras)))
        self._picture = picture
        self._features = None

    def check(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Compare the picture of `query`, the last one taken, with the stored one of a candidate.

        A candidate without a picture does not pass: nothing speaks for it.
        """
        match = candidate.waypoint
        stored = self._stored(match.drive.segment is not None, match.number)
        if stored is None:
            return Verdict(False, {"inliers": 0, "problem": "no picture"})
        if self._features is None:
            self._features = extract(self._picture)
        # Nobody wrote down which camera a map was made with.
        known = match.drive.segment is None
        geometry = compare(
            stored,
            self._features,
            self._camera(match.number) if known else None,
            self._camera(query.number),
        )
        passed = (
            geometry.inliers >= self._settings.min_inliers
            and geometry.coverage >= self._settings.min_coverage
        )
        return Verdict(passed, geometry.to_json())

    def _camera(self, number: int) -> CameraModel | None:
        return list(self._cameras)[self._camera_of[number]]

    def _load(self, of_map: bool, number: int) -> Features | None:
        if of_map:
            assert self._map is not None
            jpeg = self._map.picture(number)
        else:
            jpeg = self._session.thumbnail(number)
        return extract_jpeg(jpeg) if jpeg else None
