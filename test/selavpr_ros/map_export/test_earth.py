from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.map_export.earth import earth_poses
from test.selavpr_core.place_map.maps import places, write_map
from test.selavpr_ros.map_export.conftest import bearing


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(55.75, 11.97), (-33.9, 18.4), (0.01, -78.5), (69.6, 18.9)]
)
def test_azimuths_are_bearings_of_a_step_ahead(
    tmp_path: Path, latitude: float, longitude: float
) -> None:
    contents = places(30, 1)
    contents["headings"][4] = np.nan
    datum = Datum.at(latitude, longitude)
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": contents}, datum=datum))
    poses = earth_poses(place_map, "KML")
    known = [place for place in range(30) if place != 4]
    expected = np.array([bearing(place_map, place) for place in known])
    turn = (poses.azimuths[known] - expected + 180) % 360 - 180
    # The convergence's formula is good to 1e-4 rad.
    np.testing.assert_allclose(turn, 0, atol=0.05)
    assert np.isnan(poses.azimuths[4])
    assert (poses.azimuths[known] >= 0).all()
    assert (poses.azimuths[known] < 360).all()
    back = datum.to_map(poses.latitudes, poses.longitudes, poses.altitudes)
    np.testing.assert_allclose(back, place_map.positions, atol=0.002)


def test_without_a_datum_there_is_no_place_on_earth(tmp_path: Path) -> None:
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"a": places(2)}, datum=None))
    with pytest.raises(MapError, match=r"no datum.*GeoJSON needs a map made with GPS"):
        earth_poses(place_map, "GeoJSON")
