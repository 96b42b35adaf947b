"""Positions of one city on the grid of one UTM zone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import utm
from numpy.typing import NDArray

from selavpr_core.errors import GeodesyError
from selavpr_core.geodesy import Datum
from training.datasets.source import NO_POSITION, Candidate, Excluded

FAR_AWAY = "far outside the city's UTM zone"
ZONE_UNKNOWN = "zone unknown"

_ZONE = re.compile(r"([1-9]|[1-5]\d|60)([C-HJ-NP-X])")
_LARGEST = 2e7
"""Metres: no UTM coordinate is larger, and neither should one of a grid of its own be."""


class OneZonePerCity:
    """Brings every image of a city to the UTM zone of the city's first image.

    A city that lies across a border of zones (or the equator) is thereby on one grid, where
    neighbours on the ground are neighbours. Images too far away for that zone (7 degrees from its
    meridian) are excluded, and so is an image that names no zone in a city that has one.

    Attributes:
        converted: how many images came from another zone.
    """

    def __init__(self) -> None:
        self.converted = 0
        self._zones: dict[str, str] = {}

    def place(self, candidates: Sequence[Candidate]) -> Iterator[Candidate | Excluded]:
        """Yield the candidates, in their order, with easting, northing and zone; or why not."""
        zones = [_own_zone(candidate) for candidate in candidates]
        for candidate, zone in zip(candidates, zones, strict=True):
            if not isinstance(zone, Excluded):
                self._zones.setdefault(candidate.city, zone)
        placed: list[Candidate | Excluded] = [
            zone if isinstance(zone, Excluded) else candidate
            for candidate, zone in zip(candidates, zones, strict=True)
        ]
        for (given, wanted, geographic), rows in self._to_convert(candidates, zones).items():
            chosen = [candidates[row] for row in rows]
            if not given or not wanted:
                for row, candidate in zip(rows, chosen, strict=True):
                    placed[row] = _excluded(candidate, ZONE_UNKNOWN, "other images have a zone")
                continue
            moved, fits = _converted(chosen, given, wanted, geographic)
            target = _grid(wanted)
            for row, candidate, (easting, northing), fit in zip(
                rows, chosen, moved.tolist(), fits.tolist(), strict=True
            ):
                if not fit:
                    placed[row] = _excluded(candidate, FAR_AWAY, f"zone {wanted}")
                    continue
                other = _grid(given) != target
                self.converted += other
                placed[row] = candidate._replace(
                    easting=easting, northing=northing, zone=wanted if other else given
                )
        return iter(placed)

    def _to_convert(
        self, candidates: Sequence[Candidate], zones: Sequence[str | Excluded]
    ) -> dict[tuple[str, str, bool], list[int]]:
        """Group the rows that need work: by their own zone, the city's, and what they give."""
        groups: dict[tuple[str, str, bool], list[int]] = {}
        for row, (candidate, zone) in enumerate(zip(candidates, zones, strict=True)):
            if isinstance(zone, Excluded):
                continue
            wanted = self._zones[candidate.city]
            geographic = candidate.latitude == candidate.latitude
            same = zone == wanted or (zone and wanted and _grid(zone) == _grid(wanted))
            if geographic or not same:
                groups.setdefault((zone, wanted, geographic), []).append(row)
        return groups


def _own_zone(candidate: Candidate) -> str | Excluded:
    """Return the zone a position is given in or belongs to, "" if unknown; or what is wrong."""
    latitude, longitude = candidate.latitude, candidate.longitude
    if latitude == latitude and longitude == longitude:
        if not (-80 <= latitude <= 84 and -180 <= longitude <= 180):
            detail = f"latitude {latitude:g}, longitude {longitude:g} is outside UTM"
            return _excluded(candidate, NO_POSITION, detail)
        number = utm.latlon_to_zone_number(latitude, longitude)
        return f"{number}{utm.latitude_to_zone_letter(latitude)}"
    if not (abs(candidate.easting) <= _LARGEST and abs(candidate.northing) <= _LARGEST):
        return _excluded(candidate, NO_POSITION, "")
    if candidate.zone and not _ZONE.fullmatch(candidate.zone):
        return _excluded(candidate, NO_POSITION, f"{candidate.zone!r} is no UTM zone such as 32U")
    return candidate.zone


def _excluded(candidate: Candidate, reason: str, detail: str) -> Excluded:
    return Excluded(candidate.path, candidate.city, reason, detail, faulty=True)


def _grid(zone: str) -> tuple[int, bool]:
    """Return number and hemisphere: bands of one hemisphere share a grid."""
    return int(zone[:-1]), zone[-1] >= "N"


def _datum(zone: str) -> Datum:
    number, northern = _grid(zone)
    return Datum(0.0, number * 6.0 - 183.0, 0.0, number, northern)


def _converted(
    candidates: Sequence[Candidate], given: str, wanted: str, geographic: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return UTM positions [n, 2] in the wanted zone, and which of them it can hold [n]."""
    target = _datum(wanted)
    if geographic:
        latitude = np.array([candidate.latitude for candidate in candidates])
        longitude = np.array([candidate.longitude for candidate in candidates])
    else:
        latitude, longitude = _to_wgs84(candidates, _datum(given))
    fits = target.holds(latitude, longitude)
    moved = np.full((len(candidates), 2), np.nan)
    moved[fits] = target.to_map(latitude[fits], longitude[fits])[:, :2] + target.utm_origin
    return moved, fits


def _to_wgs84(
    candidates: Sequence[Candidate], source: Datum
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latitudes and longitudes; NaN where the position is outside the zone it names."""
    latitude, longitude = np.full((2, len(candidates)), np.nan)
    for row, candidate in enumerate(candidates):
        grid = np.array([candidate.easting, candidate.northing]) - source.utm_origin
        try:
            latitude[row], longitude[row], _ = source.to_wgs84([*grid, 0.0])
        except GeodesyError:
            continue  # one bad position must not take its neighbours along
    return latitude, longitude
