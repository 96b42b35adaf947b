"""Where the places of a map are on Earth."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap


class EarthPoses(NamedTuple):
    """Poses in WGS84.

    Attributes:
        latitudes, longitudes: [N] degrees.
        altitudes: [N] metres above the WGS84 ellipsoid.
        azimuths: [N] degrees clockwise from true north, in [0, 360); NaN where unknown.
    """

    latitudes: NDArray[np.float64]
    longitudes: NDArray[np.float64]
    altitudes: NDArray[np.float64]
    azimuths: NDArray[np.float64]


def earth_poses(place_map: PlaceMap, kind: str) -> EarthPoses:
    """Return the poses of all places in WGS84; `kind` names the format that needs them.

    Raises:
        MapError: the map has no datum.
    """
    datum = place_map.datum
    if datum is None:
        raise MapError(
            f"{place_map.path} has no datum, so nothing says where on Earth its places are: "
            f"{kind} needs a map made with GPS; --format tum needs none"
        )
    latitudes, longitudes, altitudes = datum.to_wgs84(place_map.positions)
    # Headings count from the grid's east; true north lies off the grid's by the convergence.
    convergences = [
        datum.convergence(latitude, longitude)
        for latitude, longitude in zip(latitudes.tolist(), longitudes.tolist(), strict=True)
    ]
    true_yaws = place_map.headings.astype(np.float64) - np.array(convergences, np.float64)
    with np.errstate(invalid="ignore"):
        azimuths = np.degrees(0.5 * math.pi - true_yaws) % 360.0
    return EarthPoses(latitudes, longitudes, altitudes, azimuths)
