from __future__ import annotations

import math

import numpy as np
import pytest
import utm
from hypothesis import given
from hypothesis import strategies as st

from training.datasets.source import NO_POSITION, Candidate, Excluded
from training.index.positions import FAR_AWAY, ZONE_UNKNOWN, OneZonePerCity


def geographic(latitude: float, longitude: float, city: str = "town") -> Candidate:
    return Candidate("1.jpg", city, latitude=latitude, longitude=longitude)


def metric(easting: float, northing: float, zone: str, city: str = "town") -> Candidate:
    return Candidate("1.jpg", city, easting, northing, zone)


def placed(*candidates: Candidate) -> list[Candidate | Excluded]:
    return list(OneZonePerCity().place(candidates))


@given(st.floats(-79.9, 83.9), st.floats(-179.9, 179.9))
def test_a_position_is_projected_into_its_own_zone(latitude: float, longitude: float) -> None:
    (found,) = placed(geographic(latitude, longitude))
    easting, northing, number, letter = utm.from_latlon(latitude, longitude)
    assert isinstance(found, Candidate)
    assert found.zone == f"{number}{letter}"
    assert found.easting == pytest.approx(easting, abs=1e-3)
    # On the equator utm's two halves meet: -0.0 and tiny latitudes may fall on either side.
    if abs(latitude) > 1e-9:
        assert found.northing == pytest.approx(northing, abs=1e-3)


def test_a_city_across_a_border_of_zones_is_on_the_first_images_grid() -> None:
    # London: 0.001 degrees west and east of the meridian, 138 m apart.
    west, east = placed(geographic(51.5, -0.001), geographic(51.5, 0.001))
    assert isinstance(west, Candidate)
    assert isinstance(east, Candidate)
    assert west.zone == east.zone == "30U"
    distance = math.hypot(east.easting - west.easting, east.northing - west.northing)
    assert distance == pytest.approx(138.9, abs=0.5)


def test_the_first_image_decides() -> None:
    _, west = placed(geographic(51.5, 0.001), geographic(51.5, -0.001))
    assert isinstance(west, Candidate)
    assert west.zone == "31U"


def test_the_zone_of_a_city_holds_over_several_calls() -> None:
    zones = OneZonePerCity()
    list(zones.place([geographic(51.5, -0.001)]))
    (found,) = zones.place([geographic(51.5, 0.001)])
    assert isinstance(found, Candidate)
    assert found.zone == "30U"
    assert zones.converted == 1


def test_each_city_has_its_zone() -> None:
    found = placed(geographic(51.5, -0.001, "a"), geographic(51.5, 0.001, "b"))
    assert [entry.zone for entry in found if isinstance(entry, Candidate)] == ["30U", "31U"]


def test_a_city_across_the_equator_is_on_one_grid() -> None:
    north, south = placed(geographic(0.0005, 32.58), geographic(-0.0005, 32.58))
    assert isinstance(north, Candidate)
    assert isinstance(south, Candidate)
    assert north.northing - south.northing == pytest.approx(110.5, abs=0.5)
    assert (north.zone, south.zone) == ("36N", "36N")


def test_metres_of_another_zone_are_converted() -> None:
    easting, northing, *_ = utm.from_latlon(51.5, 0.001)
    _, found = placed(geographic(51.5, -0.001), metric(easting, northing, "31U"))
    _, direct = placed(geographic(51.5, -0.001), geographic(51.5, 0.001))
    assert isinstance(found, Candidate)
    assert isinstance(direct, Candidate)
    assert found.zone == "30U"
    np.testing.assert_allclose(
        [found.easting, found.northing], [direct.easting, direct.northing], atol=0.01
    )


def test_metres_of_the_citys_zone_stay_as_they_are() -> None:
    given = [metric(549678.37, 4178000.12, "10S"), metric(-3.5, -7.25, "10S")]
    assert placed(*given) == given


def test_bands_of_one_hemisphere_are_one_grid() -> None:
    given = [metric(500000.0, 4400000.0, "10S"), metric(500000.0, 4430000.0, "10T")]
    assert placed(*given) == given


def test_an_image_names_its_own_band_of_the_citys_grid() -> None:
    south, north = placed(geographic(47.9999, 9.0), geographic(48.0001, 9.0))
    assert isinstance(south, Candidate)
    assert isinstance(north, Candidate)
    assert (south.zone, north.zone) == ("32T", "32U")
    assert north.northing - south.northing == pytest.approx(22.2, abs=0.1)


def test_a_city_without_zones_keeps_its_metres() -> None:
    given = [metric(1.0, 2.0, ""), metric(-3.0, 4.0, "")]
    assert placed(*given) == given


def test_a_zone_in_a_city_without_and_the_other_way_round_are_excluded() -> None:
    for zones in (("", "10S"), ("10S", "")):
        kept, refused = placed(*(metric(500000.0, 4000000.0, zone) for zone in zones))
        assert isinstance(kept, Candidate)
        assert isinstance(refused, Excluded)
        assert (refused.reason, refused.faulty) == (ZONE_UNKNOWN, True)


def test_what_is_far_outside_the_zone_is_excluded() -> None:
    found = placed(
        geographic(51.5, 0.0),
        geographic(51.5, 30.0),
        metric(500000.0, 4e6, "40S"),
        geographic(51.5, 0),
    )
    assert [isinstance(entry, Candidate) for entry in found] == [True, False, False, True]
    assert [entry.reason for entry in found if isinstance(entry, Excluded)] == [FAR_AWAY] * 2


def test_metres_outside_the_zone_they_name_do_not_take_others_along() -> None:
    found = placed(
        metric(500000.0, 5e6, "30U"), metric(9e6, 5e6, "31U"), metric(300000.0, 5e6, "31U")
    )
    assert [isinstance(entry, Candidate) for entry in found] == [True, False, True]


@pytest.mark.parametrize(
    "candidate",
    [
        geographic(91.0, 0.0),
        geographic(-81.0, 0.0),
        geographic(0.0, 181.0),
        geographic(math.nan, 0.0),
        metric(math.nan, 0.0, ""),
        metric(1e300, 0.0, ""),
        metric(0.0, 0.0, "61U"),
        metric(0.0, 0.0, "10I"),
        metric(0.0, 0.0, "north"),
    ],
)
def test_a_position_without_sense_is_excluded_and_decides_nothing(candidate: Candidate) -> None:
    refused, kept = placed(candidate, geographic(51.5, 0.001))
    assert isinstance(refused, Excluded)
    assert (refused.reason, refused.faulty) == (NO_POSITION, True)
    assert isinstance(kept, Candidate)
    assert kept.zone == "31U"
