"""Geometric verification of candidates on the stored pictures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_core.place_map import Session
from selavpr_ros.loop_closure.candidate import Candidate, Verdict
from selavpr_ros.loop_closure.drives import Waypoint
from selavpr_ros.loop_closure.geometry import (
    Features,
    Geometry,
    compare,
    extract,
    extract_jpeg,
)
from selavpr_ros.loop_closure.known_map import KnownMap
from selavpr_ros.loop_closure.settings import LoopClosureSettings

_KEPT = 32  # pictures' features in memory, half a megabyte each: neighbours are asked for again


class GeometricVerification:
    """Compares the picture of a query with those of its candidates, each once.

    Features are made when they are first needed: most keyframes have no candidate to compare with.
    """

    def __init__(
        self, settings: LoopClosureSettings, session: Session, known_map: KnownMap | None
    ) -> None:
        """session and known_map keep the pictures, and know what took them."""
        self._settings = settings
        self._session = session
        self._map = known_map
        self._stored = lru_cache(_KEPT)(self._load)
        self._picture: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)
        self._features: Features | None = None
        self._compared: dict[tuple[bool, int], Geometry | None] = {}

    def begin(self, picture: NDArray[np.uint8]) -> None:
        """Take the picture [H, W, 3] uint8 RGB of the session's newest keyframe."""
        self._picture = picture
        self._features = None
        self._compared.clear()

    def check(self, query: Waypoint, candidate: Candidate) -> Verdict:
        """Compare the picture of `query`, the last one taken, with the stored one of a candidate.

        A candidate without a picture does not pass: nothing speaks for it.
        """
        geometry = self._geometry(query, candidate.waypoint)
        if geometry is None:
            return Verdict(False, {"inliers": 0, "problem": "no picture"})
        return Verdict(self._passes(geometry), geometry.to_json())

    def verified(self, candidate: Candidate) -> bool:
        """Tell whether a candidate of the last query was compared with it, and passed."""
        geometry = self._compared.get(_key(candidate.waypoint))
        return geometry is not None and self._passes(geometry)

    def inliers(self, query: Waypoint, match: Waypoint) -> int:
        """Return how many points of the last query agree with a stored picture; 0 without one."""
        geometry = self._geometry(query, match)
        return 0 if geometry is None else geometry.inliers

    def _passes(self, geometry: Geometry) -> bool:
        return (
            geometry.inliers >= self._settings.min_inliers
            and geometry.coverage >= self._settings.min_coverage
        )

    def _geometry(self, query: Waypoint, match: Waypoint) -> Geometry | None:
        key = _key(match)
        if key not in self._compared:
            self._compared[key] = self._compare(query, match)
        return self._compared[key]

    def _compare(self, query: Waypoint, match: Waypoint) -> Geometry | None:
        stored = self._stored(*_key(match))
        if stored is None:
            return None
        if self._features is None:
            self._features = extract(self._picture)
        return compare(
            stored,
            self._features,
            self._camera(match, stored.size),
            self._camera(query, self._features.size),
        )

    def _camera(self, waypoint: Waypoint, size: tuple[int, int]) -> CameraModel | None:
        """Return what took a stored picture of this (width, height); None if it is unknown."""
        of_map, number = _key(waypoint)
        if not of_map:
            return self._session.camera(number)
        assert self._map is not None
        camera = self._map.camera(number)
        # A map may come from elsewhere: of another shape its rotations would be wrong.
        return camera if camera is not None and camera.fits(size) else None

    def _load(self, of_map: bool, number: int) -> Features | None:
        if of_map:
            assert self._map is not None
            jpeg = self._map.picture(number)
        else:
            jpeg = self._session.thumbnail(number)
        return extract_jpeg(jpeg) if jpeg else None


def _key(match: Waypoint) -> tuple[bool, int]:
    """Whether it is of the map, and its number there or in the session."""
    return match.drive.segment is not None, match.number
