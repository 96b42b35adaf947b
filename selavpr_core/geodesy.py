"""The map frame: metres east, north and up of a WGS84 datum, on the grid of one UTM zone.

The zone is the datum's and is forced for every position of the map, so that a drive across a zone
border or the equator stays continuous: neighbours on the ground are neighbours on the grid.
Grid metres differ from metres on the ground by the scale of UTM: -0.04 % at the zone's meridian,
+0.1 % at its border on the equator, +0.7 % seven degrees from the meridian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import utm
from numpy.typing import ArrayLike, NDArray

from selavpr_core.errors import GeodesyError

MIN_LATITUDE = -80.0
MAX_LATITUDE = 84.0

MAX_MERIDIAN_DISTANCE = 7.0
"""How far from its zone's central meridian a position may lie, in degrees.

The series behind UTM is cut short. Against the exact projection (Krueger's series to n^6), utm 0.8+
is off by at most 1 mm at 3 degrees, 12 mm at 6, 34 mm at 7 and 0.4 m at 10 degrees; its inverse by
0.4 mm, 48 mm, 140 mm and 1.8 m: far below the noise of GPS. Seven degrees hold every zone, with
440 km to spare at the equator (zones of Norway and Svalbard reach 6 degrees: 60 to 12 km to spare).
"""

_FALSE_EASTING = 500_000.0
_FALSE_NORTHING = 10_000_000.0  # of the southern hemisphere


@dataclass(frozen=True)
class Datum:
    """The WGS84 origin of a map frame, and the UTM zone its grid belongs to.

    Attributes:
        latitude, longitude: degrees.
        altitude: metres above the WGS84 ellipsoid, as NavSatFix gives it.
        zone: number of the UTM zone, 1 to 60.
        northern: hemisphere of the datum. It says which false northing the map's UTM coordinates
            have; positions in the map frame do not depend on it.
    """

    latitude: float
    longitude: float
    altitude: float
    zone: int
    northern: bool

    def __post_init__(self) -> None:
        """Check everything, so that a datum read from a file is as good as one computed."""
        if not 1 <= self.zone <= 60:
            raise GeodesyError(f"UTM zone {self.zone} does not exist: give a number from 1 to 60")
        if not math.isfinite(self.altitude):
            raise GeodesyError(f"altitude {self.altitude} of the datum is not a number of metres")
        _check_wgs84(np.asarray(self.latitude), np.asarray(self.longitude), self.zone)

    @classmethod
    def at(cls, latitude: float, longitude: float, altitude: float = 0.0) -> Datum:
        """Place a datum at a position, in the UTM zone that position belongs to.

        The wider zones of Norway and Svalbard are honoured.

        Raises:
            GeodesyError: latitude outside 80 S to 84 N, longitude outside +-180, or no number.
        """
        _check_wgs84(np.asarray(latitude), np.asarray(longitude), zone=None)
        zone = int(utm.latlon_to_zone_number(float(latitude), float(longitude)))
        return cls(float(latitude), float(longitude), float(altitude), zone, latitude >= 0)

    @property
    def utm_origin(self) -> tuple[float, float]:
        """Easting and northing of the datum in its zone, metres: UTM = map position + this."""
        east, north = self._grid_origin()
        return east, north + (0.0 if self.northern else _FALSE_NORTHING)

    def _grid_origin(self) -> tuple[float, float]:
        east, north = _to_grid(np.asarray(self.latitude), np.asarray(self.longitude), self.zone)
        return float(east), float(north)

    def to_map(
        self, latitude: ArrayLike, longitude: ArrayLike, altitude: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Express WGS84 positions in the map frame.

        Args:
            latitude, longitude: degrees, any shapes [...] that broadcast.
            altitude: metres, or None. Where it is not finite, z is 0.

        Returns:
            [..., 3] metres: x east and y north on the grid of the datum's zone, z up.

        Raises:
            GeodesyError: a latitude outside 80 S to 84 N, a longitude outside +-180, NaN, or a
                position more than MAX_MERIDIAN_DISTANCE from the zone's central meridian.
        """
        lat, lon, alt = np.broadcast_arrays(
            np.asarray(latitude, dtype=np.float64),
            np.asarray(longitude, dtype=np.float64),
            np.asarray(np.nan if altitude is None else altitude, dtype=np.float64),
        )
        _check_wgs84(lat, lon, self.zone)
        east, north = _to_grid(lat, lon, self.zone)
        east_0, north_0 = self._grid_origin()
        up = np.where(np.isfinite(alt), alt - self.altitude, 0.0)
        return np.stack([east - east_0, north - north_0, up], axis=-1)

    def holds(self, latitude: ArrayLike, longitude: ArrayLike) -> NDArray[np.bool_]:
        """Tell which WGS84 positions (degrees) to_map accepts; NaN is none of them."""
        lat = np.asarray(latitude, dtype=np.float64)
        lon = np.asarray(longitude, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # infinity has no remainder: NaN, and so not held
            near = np.abs(_from_meridian(lon, self.zone)) <= MAX_MERIDIAN_DISTANCE
        return near & (np.abs(lon) <= 180.0) & (lat >= MIN_LATITUDE) & (lat <= MAX_LATITUDE)

    def to_wgs84(
        self, positions: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Express positions in the map frame ([..., 3] metres) as WGS84; the inverse of to_map.

        Returns:
            Latitude and longitude in degrees, altitude in metres, each of shape [...].

        Raises:
            GeodesyError: a position that is not finite, or one outside what to_map accepts.
        """
        positions = np.asarray(positions, dtype=np.float64)
        if positions.ndim == 0 or positions.shape[-1] != 3:
            raise ValueError(f"positions must have shape [..., 3], not {list(positions.shape)}")
        if not np.isfinite(positions).all():
            raise GeodesyError("a position in the map frame is not finite (NaN or infinite)")
        east_0, north_0 = self._grid_origin()
        lat, lon = _from_grid(positions[..., 0] + east_0, positions[..., 1] + north_0, self.zone)
        # 0.2 m of slack: what to_map accepted at the very edge must come back.
        _check_wgs84(lat, lon, self.zone, slack=2e-6)
        return lat, lon, positions[..., 2] + self.altitude

    def convergence(self, latitude: float, longitude: float) -> float:
        """Return what to add to a true ENU yaw to get the yaw on the grid, radians.

        True north lies counter-clockwise of grid north by this angle (negative west of the central
        meridian in the north): atan(tan(longitude - meridian) * sin(latitude)), exact on the sphere
        and within 1e-4 rad on the ellipsoid wherever to_map is allowed.
        """
        _check_wgs84(np.asarray(latitude), np.asarray(longitude), self.zone)
        offset = math.radians(float(_from_meridian(np.asarray(longitude), self.zone)))
        return math.atan(math.tan(offset) * math.sin(math.radians(latitude)))

    def to_json(self) -> dict[str, float | int | bool]:
        """Return the datum as a dictionary of plain numbers, for the map's manifest."""
        return {
            "latitude": self.latitude,
            "longitude": self.longitude,
            "altitude": self.altitude,
            "zone": self.zone,
            "northern": self.northern,
        }

    @classmethod
    def from_json(cls, entries: Mapping[str, float | int | bool]) -> Datum:
        """Read what to_json wrote.

        Raises:
            GeodesyError: a missing entry, one that is no number, or a position UTM cannot hold.
        """
        try:
            return cls(
                latitude=float(entries["latitude"]),
                longitude=float(entries["longitude"]),
                altitude=float(entries["altitude"]),
                zone=int(entries["zone"]),
                northern=bool(entries["northern"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GeodesyError(f"the datum is damaged: {error!r} in {entries!r}") from None


def _central_meridian(zone: int) -> float:
    return zone * 6.0 - 183.0


def _from_meridian(longitude: NDArray[np.float64], zone: int) -> NDArray[np.float64]:
    """Degrees east of the zone's central meridian, in [-180, 180), also across the date line."""
    return (longitude - _central_meridian(zone) + 180.0) % 360.0 - 180.0


def _check_wgs84(
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    zone: int | None,
    slack: float = 0.0,
) -> None:
    """Raise GeodesyError unless UTM (and the zone, when given) can hold every position."""
    finite = np.isfinite(latitude) & np.isfinite(longitude)
    if not finite.all():
        raise GeodesyError("a latitude or longitude is not finite (NaN or infinite)")
    wrong = (latitude < MIN_LATITUDE - slack) | (latitude > MAX_LATITUDE + slack)
    if wrong.any():
        raise GeodesyError(
            f"latitude {_first(latitude, wrong):.6f} is outside UTM, which spans 80 S to 84 N"
        )
    wrong = np.abs(longitude) > 180.0 + slack
    if wrong.any():
        raise GeodesyError(
            f"longitude {_first(longitude, wrong):.6f} is outside -180 to 180 degrees"
        )
    if zone is None:
        return
    distance = np.abs(_from_meridian(longitude, zone))
    wrong = distance > MAX_MERIDIAN_DISTANCE + slack
    if wrong.any():
        raise GeodesyError(
            f"longitude {_first(longitude, wrong):.6f} lies {_first(distance, wrong):.1f} degrees"
            f" from the meridian of the map's UTM zone {zone}, more than"
            f" {MAX_MERIDIAN_DISTANCE:g}: make a map of its own for that place"
        )


def _first(values: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(values[where].flat[0])


def _to_grid(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64], zone: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Easting and signed northing (0 at the equator, negative south of it), metres.

    Northing is odd in latitude, so the southern half is the mirrored northern one: the hemisphere
    never enters, whichever rule the installed version of utm has for it.
    """
    if latitude.size == 0:
        return np.zeros(latitude.shape), np.zeros(latitude.shape)
    east, north, _, _ = utm.from_latlon(
        np.abs(latitude), longitude, force_zone_number=zone, force_zone_letter="N"
    )
    return np.asarray(east), np.copysign(north, latitude)


def _from_grid(
    east: NDArray[np.float64], north: NDArray[np.float64], zone: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude in degrees; the inverse of _to_grid."""
    if east.size == 0:
        return np.zeros(east.shape), np.zeros(east.shape)
    # Beyond these the series is meaningless: far outside the band that _check_wgs84 lets through.
    wrong = (np.abs(east - _FALSE_EASTING) > 1e6) | (np.abs(north) > _FALSE_NORTHING)
    if wrong.any():
        raise GeodesyError(
            f"a position {_first(np.hypot(east - _FALSE_EASTING, north), wrong) / 1000:.0f} km from"
            f" the origin of UTM zone {zone} is outside what the zone can hold"
        )
    lat, lon = utm.to_latlon(east, np.abs(north), zone, northern=True, strict=False)
    return np.copysign(lat, north), np.asarray(lon)
