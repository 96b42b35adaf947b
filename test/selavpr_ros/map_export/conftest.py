from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from test.selavpr_core.place_map.maps import places, write_map

HELSINGOR = Datum.at(55.75, 11.97, 10.0)  # far from its zone's meridian: grid north is turned


@pytest.fixture
def place_map(tmp_path: Path) -> PlaceMap:
    """Two segments, one of them with a name that XML and JSON must escape."""
    contents = {"north & <south>": places(6, 1), "lone": places(1, 2)}
    contents["north & <south>"]["headings"][2] = np.nan
    return PlaceMap.load(write_map(tmp_path / "map", contents, datum=HELSINGOR))


def bearing(place_map: PlaceMap, place: int) -> float:
    """Degrees clockwise from true north, from a step ahead on the ground."""
    assert place_map.datum is not None
    heading = float(place_map.headings[place])
    ahead = place_map.positions[place] + [math.cos(heading), math.sin(heading), 0]
    (lat, lon, _), (lat2, lon2, _) = (
        place_map.datum.to_wgs84(position) for position in (place_map.positions[place], ahead)
    )
    # The ellipsoid's radii of curvature, east-west over north-south.
    flattened = (1 - 0.00669438 * math.sin(math.radians(lat)) ** 2) / (1 - 0.00669438)
    east = (lon2 - lon) * math.cos(math.radians(lat)) * flattened
    return math.degrees(math.atan2(east, lat2 - lat)) % 360
