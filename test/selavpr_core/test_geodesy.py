from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.errors import GeodesyError
from selavpr_core.geodesy import MAX_MERIDIAN_DISTANCE, Datum

BAND = MAX_MERIDIAN_DISTANCE - 0.001
latitudes = st.floats(-79.99, 83.99)
zones = st.integers(1, 60)
meridian_offsets = st.floats(-BAND, BAND)


def wrap_longitude(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0


def krueger(latitude: float, longitude: float, meridian: float) -> tuple[float, float]:
    """The transverse Mercator projection to nanometres: Karney (2011), Krueger's series to n^6."""
    flattening, radius, scale = 1 / 298.257223563, 6378137.0, 0.9996
    n = flattening / (2 - flattening)
    e = math.sqrt(flattening * (2 - flattening))
    series = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16 + 41 * n**4 / 180 - 127 * n**5 / 288,
        13 * n**2 / 48 - 3 * n**3 / 5 + 557 * n**4 / 1440 + 281 * n**5 / 630,
        61 * n**3 / 240 - 103 * n**4 / 140 + 15061 * n**5 / 26880,
        49561 * n**4 / 161280 - 179 * n**5 / 168,
        34729 * n**5 / 80640,
    )
    phi = math.radians(latitude)
    lam = math.radians((longitude - meridian + 180) % 360 - 180)
    t = math.sinh(math.atanh(math.sin(phi)) - e * math.atanh(e * math.sin(phi)))
    xi = math.atan2(t, math.cos(lam))
    eta = math.asinh(math.sin(lam) / math.hypot(t, math.cos(lam)))
    x, y = eta, xi
    for j, factor in enumerate(series, 1):
        x += factor * math.cos(2 * j * xi) * math.sinh(2 * j * eta)
        y += factor * math.sin(2 * j * xi) * math.cosh(2 * j * eta)
    rectifying = radius / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    return scale * rectifying * x, scale * rectifying * y


@given(latitudes, zones, meridian_offsets)
def test_positions_agree_with_the_exact_projection(lat: float, zone: int, offset: float) -> None:
    meridian = zone * 6 - 183
    lon = wrap_longitude(meridian + offset)
    datum = Datum(0.0, meridian, 0.0, zone, True)
    x, y, z = datum.to_map(lat, lon)
    expected = krueger(lat, lon, meridian)
    assert math.hypot(x - expected[0], y - expected[1]) < (0.0015 if abs(offset) < 3 else 0.04)
    assert z == 0


@given(latitudes, zones, meridian_offsets, latitudes, st.floats(-500, 9000))
def test_wgs84_survives_the_round_trip(
    lat: float, zone: int, offset: float, origin: float, altitude: float
) -> None:
    meridian = zone * 6 - 183
    lon = wrap_longitude(meridian + offset)
    datum = Datum(origin, wrap_longitude(meridian - 1.5), 12.5, zone, origin >= 0)
    back_lat, back_lon, back_alt = datum.to_wgs84(datum.to_map(lat, lon, altitude))
    metres = 111_320.0
    error = math.hypot(
        (back_lat - lat) * metres,
        wrap_longitude(float(back_lon) - lon) * metres * math.cos(math.radians(lat)),
    )
    assert error < (0.0015 if abs(offset) < 3 else 0.15)
    assert back_alt == pytest.approx(altitude, abs=1e-9)


@given(latitudes, zones, st.floats(-6.9, 6.9), st.floats(-math.pi, math.pi))
def test_convergence_turns_a_true_direction_into_the_direction_on_the_grid(
    lat: float, zone: int, offset: float, yaw: float
) -> None:
    """A step of 20 m on the ground, against the direction between its ends on the exact grid."""
    meridian = zone * 6 - 183
    lon = meridian + offset
    datum = Datum(0.0, meridian, 0.0, zone, True)
    e2 = 0.00669437999014
    w = math.sqrt(1 - e2 * math.sin(math.radians(lat)) ** 2)
    north_radius, east_radius = 6378137 * (1 - e2) / w**3, 6378137 / w
    half_north = math.degrees(10 * math.sin(yaw) / north_radius)
    half_east = math.degrees(10 * math.cos(yaw) / (east_radius * math.cos(math.radians(lat))))
    ahead = krueger(lat + half_north, lon + half_east, meridian)
    behind = krueger(lat - half_north, lon - half_east, meridian)
    grid_yaw = math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])
    difference = grid_yaw - (yaw + datum.convergence(lat, wrap_longitude(lon)))
    assert abs(math.remainder(difference, 2 * math.pi)) < 1e-4


def test_datum_is_the_origin() -> None:
    datum = Datum.at(55.6981, 13.1953, 37.0)
    np.testing.assert_allclose(datum.to_map(55.6981, 13.1953, 37.0), [0, 0, 0], atol=1e-9)
    assert (datum.zone, datum.northern) == (33, True)


def test_utm_origin_is_the_published_coordinate_of_the_cn_tower() -> None:
    """43 38'33.24" N, 79 23'13.7" W is 17N 630084 4833438 (Wikipedia's worked example)."""
    datum = Datum.at(43.6425667, -79.3871389)
    assert datum.zone == 17
    assert datum.utm_origin == pytest.approx((630084, 4833438), abs=1.5)


def test_utm_origin_in_the_south_has_the_false_northing() -> None:
    south, north = Datum.at(-33.9, 18.4), Datum.at(33.9, 18.4)
    assert south.utm_origin[0] == pytest.approx(north.utm_origin[0])
    assert south.utm_origin[1] == pytest.approx(1e7 - north.utm_origin[1])
    assert not south.northern


@pytest.mark.parametrize(
    ("lat", "lon", "zone"),
    [
        (60.39, 5.32, 32),  # Bergen: 31 by the rule, 32 by the exception for Norway
        (78.22, 15.65, 33),  # Longyearbyen
        (78.22, 8.9, 31),
        (78.22, 21.5, 35),
        (78.22, 40.0, 37),
        (0.0, 180.0, 1),
        (0.0, -180.0, 1),
        (0.0, 179.99, 60),
        (84.0, 9.0, 33),
        (-80.0, 9.0, 32),
    ],
)
def test_zone_of_a_datum(lat: float, lon: float, zone: int) -> None:
    assert Datum.at(lat, lon).zone == zone


def steps_of(datum: Datum, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    return np.diff(datum.to_map(lat, lon)[:, :2], axis=0)


def test_a_line_across_a_zone_border_stays_a_line() -> None:
    lon = 12.0 + np.linspace(-0.01, 0.01, 41)
    steps = steps_of(Datum.at(48.0, lon[0]), np.full(41, 48.0), lon)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(axis=0), steps.shape), atol=0.01)
    assert np.hypot(*steps.mean(axis=0)) == pytest.approx(37.3, abs=0.2)


@pytest.mark.parametrize("start", [-0.01, 0.01])
def test_a_line_across_the_equator_stays_a_line(start: float) -> None:
    lat = np.linspace(start, -start, 41)
    steps = steps_of(Datum.at(lat[0], 10.0), lat, np.full(41, 10.0))
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(axis=0), steps.shape), atol=0.01)
    assert np.hypot(*steps.mean(axis=0)) == pytest.approx(55.26, abs=0.1)


def test_a_line_across_the_date_line_stays_a_line() -> None:
    lon = np.array([179.998, 179.999, 180.0, -179.999, -179.998])
    datum = Datum.at(-17.0, lon[0])
    steps = steps_of(datum, np.full(5, -17.0), lon)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(axis=0), steps.shape), atol=0.01)
    _, back, _ = datum.to_wgs84(datum.to_map(np.full(5, -17.0), lon))
    np.testing.assert_allclose((back - lon + 180) % 360 - 180, 0, atol=1e-7)


def test_arrays_of_any_shape_equal_single_positions() -> None:
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(-5, 5, (2, 3)), rng.uniform(5, 14, (2, 3))
    alt = np.array([[1.0, np.nan, np.inf], [4.0, 5.0, 6.0]])
    datum = Datum.at(1.0, 9.0, 2.0)
    together = datum.to_map(lat, lon, alt)
    assert together.shape == (2, 3, 3)
    for index in np.ndindex(2, 3):
        alone = datum.to_map(lat[index], lon[index], alt[index])
        np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(together[0, :, 2], [-1, 0, 0])


def test_no_positions_give_no_rows() -> None:
    datum = Datum.at(1.0, 9.0)
    assert datum.to_map([], []).shape == (0, 3)
    assert [part.shape for part in datum.to_wgs84(np.zeros((0, 3)))] == [(0,), (0,), (0,)]


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        (84.1, 9.0, "80 S to 84 N"),
        (-80.1, 9.0, "80 S to 84 N"),
        (math.nan, 9.0, "not finite"),
        (1.0, math.inf, "not finite"),
        (1.0, 180.5, "-180 to 180"),
        (1.0, 16.1, "zone 32"),
        (1.0, 1.9, "zone 32"),
        (1.0, -171.0, "zone 32"),
    ],
)
def test_positions_that_the_zone_cannot_hold_are_refused(lat: float, lon: float, said: str) -> None:
    datum = Datum.at(1.0, 9.0)
    assert datum.holds([1.0, lat], [9.0, lon]).tolist() == [True, False]
    with pytest.raises(GeodesyError, match=said):
        datum.to_map(np.array([1.0, lat]), np.array([9.0, lon]))
    with pytest.raises(GeodesyError, match=said):
        datum.convergence(lat, lon)


@pytest.mark.parametrize(
    "position", [(math.nan, 0, 0), (0, 0, math.inf), (2e6, 0, 0), (0, 1.2e7, 0), (9e5, 0, 0)]
)
def test_map_positions_that_the_zone_cannot_hold_are_refused(
    position: tuple[float, float, float],
) -> None:
    with pytest.raises(GeodesyError):
        Datum.at(1.0, 9.0).to_wgs84(np.array([(0, 0, 0), position]))


def test_positions_of_a_wrong_shape_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"\[\.\.\., 3\]"):
        Datum.at(1.0, 9.0).to_wgs84([1.0, 2.0])


@pytest.mark.parametrize(
    ("lat", "lon", "alt"), [(85.0, 0, 0), (0, 181.0, 0), (math.nan, 0, 0), (0, 0, math.nan)]
)
def test_a_datum_off_the_grid_is_refused(lat: float, lon: float, alt: float) -> None:
    with pytest.raises(GeodesyError):
        Datum.at(lat, lon, alt)


def test_json_keeps_the_datum_bit_for_bit() -> None:
    datum = Datum.at(55.698166666666665, 13.195388888888889, 37.1)
    assert Datum.from_json(json.loads(json.dumps(datum.to_json()))) == datum


@pytest.mark.parametrize(
    "change", [{"zone": 61}, {"zone": None}, {"latitude": "north"}, {"longitude": 120.0}]
)
def test_damaged_json_is_refused(change: dict[str, object]) -> None:
    entries: dict[str, object] = {**Datum.at(55.7, 13.2).to_json(), **change}
    with pytest.raises(GeodesyError):
        Datum.from_json(entries)  # type: ignore[arg-type]


def test_json_without_an_entry_is_refused() -> None:
    entries = Datum.at(55.7, 13.2).to_json()
    del entries["zone"]
    with pytest.raises(GeodesyError, match="zone"):
        Datum.from_json(entries)
