"""The pose of a frame: where the camera was at its stamp, and which way it faced."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.geodesy import Datum
from selavpr_ros.errors import BagError
from selavpr_ros.mapping.heading import (
    UNKNOWN,
    Heading,
    Headings,
    align_orientations,
    align_poses,
    direction_of_travel,
    headings_of_poses,
)
from selavpr_ros.mapping.recording import Fixes, Orientations, Poses
from selavpr_ros.mapping.settings import MappingSettings
from selavpr_ros.mapping.track import Drop, Track

ASSUMED_FIX_SIGMA = 5.0
"""Metres, for fixes that state no covariance: a plain receiver under open sky."""

ASSUMED_POSE_SIGMA = 0.5
"""Metres, for poses that state no covariance."""

HeadingSource = Literal["pose", "imu", "track", "unknown"]


class Pose(NamedTuple):
    """Pose of a frame in the map.

    Attributes:
        position: [3] metres.
        position_sigma: metres, horizontal standard deviation.
        heading, heading_sigma: radians, NaN where unknown.
        heading_source: where the heading comes from.
    """

    position: NDArray[np.float64]
    position_sigma: float
    heading: float
    heading_sigma: float
    heading_source: HeadingSource


class Geotagger:
    """Gives frames their pose, or the reason why they have none.

    track: positions over time.
    oriented: headings over time from a pose or IMU topic, None for the direction of travel alone.
    source: which of the two `oriented` comes from.
    """

    def __init__(
        self,
        track: Track,
        oriented: Headings | None,
        source: HeadingSource,
        settings: MappingSettings,
    ) -> None:
        self.track = track
        self._oriented = oriented
        self._source = source
        self._settings = settings

    def tag(self, stamp: int) -> Pose | Drop:
        """Return the pose at a frame's stamp (ns), or why there is none."""
        location = self.track.locate(stamp, self._settings.max_gap)
        if isinstance(location, Drop):
            return location
        heading, source = self._heading(stamp)
        return Pose(location.position, location.sigma, *heading, source)

    def _heading(self, stamp: int) -> tuple[Heading, HeadingSource]:
        limit = self._settings.max_heading_sigma
        if self._oriented is not None:
            heading = self._oriented.at(stamp, self._settings.max_gap)
            if heading.sigma <= limit:
                return heading, self._source
        heading = direction_of_travel(self.track, stamp)
        if heading.sigma <= limit:
            return heading, "track"
        return UNKNOWN, "unknown"


def first_datum(fixes: Fixes, settings: MappingSettings) -> Datum:
    """Return the datum at the first fix that passes the gates; altitude 0 where it states none.

    Raises:
        BagError: no fix does.
    """
    sigmas = _fix_sigmas(fixes, settings)
    good = np.flatnonzero(np.isfinite(fixes.latitudes) & (sigmas <= settings.max_sigma))
    if not len(good):
        raise BagError(_no_fix(fixes, settings))
    first = good[0]
    altitude = float(fixes.altitudes[first])
    return Datum.at(
        float(fixes.latitudes[first]),
        float(fixes.longitudes[first]),
        altitude if np.isfinite(altitude) else 0.0,
    )


def tag_by_fixes(
    fixes: Fixes, orientation: Poses | Orientations | None, datum: Datum, settings: MappingSettings
) -> Geotagger:
    """Geotag with GPS.

    Raises:
        BagError: no fix passes the gates.
        GeodesyError: all fixes are too far from the datum's UTM zone.
    """
    latitudes, longitudes, altitudes = fixes.latitudes, fixes.longitudes, fixes.altitudes
    known = np.isfinite(latitudes)
    held = datum.holds(latitudes, longitudes)
    if known.any() and not held.any():
        datum.to_map(latitudes[known], longitudes[known])  # raises, and says why
    # A receiver that strays to another continent for a moment has no fix then.
    positions = np.full((len(known), 3), np.nan)
    positions[held] = datum.to_map(latitudes[held], longitudes[held], altitudes[held])
    track = Track.of(fixes.stamps, positions, _fix_sigmas(fixes, settings), settings.max_sigma)
    if not len(track):
        raise BagError(_no_fix(fixes, settings))
    if isinstance(orientation, Poses):
        return Geotagger(track, align_poses(orientation, track), "pose", settings)
    if isinstance(orientation, Orientations):
        return Geotagger(track, align_orientations(orientation, track, datum), "imu", settings)
    return Geotagger(track, None, "track", settings)


def tag_by_poses(poses: Poses, settings: MappingSettings) -> Geotagger:
    """Geotag in the poses' own frame, for maps without GPS.

    Raises:
        BagError: no pose passes the gates.
    """
    assumed = settings.assumed_sigma or ASSUMED_POSE_SIGMA
    sigmas = np.where(np.isfinite(poses.sigmas), poses.sigmas, assumed)
    track = Track.of(poses.stamps, poses.positions, sigmas, settings.max_sigma)
    if not len(track):
        raise BagError(
            f"none of {len(poses.stamps)} poses can be used: not finite, or less certain than"
            f" {settings.max_sigma:g} m (--max-sigma)"
        )
    return Geotagger(track, headings_of_poses(poses), "pose", settings)


def _fix_sigmas(fixes: Fixes, settings: MappingSettings) -> NDArray[np.float64]:
    assumed = settings.assumed_sigma or ASSUMED_FIX_SIGMA
    return np.where(np.isfinite(fixes.sigmas), fixes.sigmas, assumed)


def _no_fix(fixes: Fixes, settings: MappingSettings) -> str:
    total, known = len(fixes.stamps), np.isfinite(fixes.latitudes)
    if not known.any():
        return (
            f"none of {total} NavSatFix messages has a fix; "
            "if the bag has odometry, build a map without GPS: --position-from pose"
        )
    best = float(_fix_sigmas(fixes, settings)[known].min())
    return (
        f"none of {total} fixes is certain to {settings.max_sigma:g} m, the best to {best:.1f} m;"
        " raise --max-sigma to use them"
    )
