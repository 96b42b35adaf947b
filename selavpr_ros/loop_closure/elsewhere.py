"""Whether two keyframes were taken at different places, as far as positions tell."""

from __future__ import annotations

import math
from collections.abc import Hashable

from selavpr_core.retrieval.margin import ELSEWHERE
from selavpr_ros.loop_closure.drives import Waypoint


def elsewhere(here: Waypoint, there: Waypoint, odometry_drift: float) -> bool | None:
    """Tell whether two keyframes lie farther apart than 25 m and than drift can explain.

    Args:
        here, there: keyframes of the session, or places of a map.
        odometry_drift: metres by which odometry may be wrong for each metre along the track; a map
            does not drift.

    Returns:
        None where their positions do not count in one frame, or are not known.
    """
    apart = distance(here, there)
    if apart is None:
        return None
    drift = 0.0
    if here.drive.segment is None:
        drift = odometry_drift * abs(here.along - there.along)
    return apart > ELSEWHERE + drift


def distance(here: Waypoint, there: Waypoint) -> float | None:
    """Return the metres between two keyframes or places by their positions, in the plane.

    None where these do not count in one frame, or are not known.
    """
    if here.pose is None or there.pose is None or _frame(here) != _frame(there):
        return None
    return math.dist(here.pose[:2], there.pose[:2])


def _frame(waypoint: Waypoint) -> Hashable:
    """Tell what a position counts in: all segments of a map have one frame."""
    return waypoint.drive if waypoint.drive.segment is None else "map"
