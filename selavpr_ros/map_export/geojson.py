"""GeoJSON (RFC 7946): a point for each place and a line for each segment."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.info import iso_time
from selavpr_core.place_map.segment import Progress
from selavpr_ros.map_export.earth import EarthPoses, earth_poses

_CENTIMETRES = 7  # decimals of a degree


def geojson_lines(place_map: PlaceMap, progress: Progress = lambda _: None) -> Iterator[str]:
    """Yield the file, a line a feature; longitude, latitude, metres above the ellipsoid.

    `progress` is called with 1 after each place.

    Raises:
        MapError: the map has no datum.
    """
    poses = earth_poses(place_map, "GeoJSON")
    separator = ""
    yield '{"type": "FeatureCollection", "features": ['
    for segment, places in place_map.numbered_segments():
        if segment.count > 1:
            track = {"segment": segment.name, "source": segment.source, "places": segment.count}
            yield separator + _feature(_line(poses, places), track)
            separator = ","
        for place in places:
            azimuth = float(poses.azimuths[place])
            about = {
                "place": place,
                "segment": segment.name,
                "time": iso_time(int(place_map.stamps[place])),
                "stamp": int(place_map.stamps[place]),
                "heading": None if math.isnan(azimuth) else round(azimuth, 1),
                "x": round(float(place_map.positions[place, 0]), 3),
                "y": round(float(place_map.positions[place, 1]), 3),
                "position_sigma": _known(float(place_map.position_sigmas[place])),
            }
            point = {"type": "Point", "coordinates": _coordinates(poses, place)}
            yield separator + _feature(point, about)
            separator = ","
            progress(1)
    yield "\n]}\n"


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> str:
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    return "\n" + json.dumps(feature, ensure_ascii=False)


def _coordinates(poses: EarthPoses, place: int) -> list[float]:
    return [
        round(float(poses.longitudes[place]), _CENTIMETRES),
        round(float(poses.latitudes[place]), _CENTIMETRES),
        round(float(poses.altitudes[place]), 2),
    ]


def _line(poses: EarthPoses, places: range) -> dict[str, Any]:
    """Return a line through places; in parts where it crosses the date line, as the RFC asks."""
    longitudes = poses.longitudes[places.start : places.stop]
    cuts = np.flatnonzero(np.abs(np.diff(longitudes)) > 180.0) + 1 + places.start
    ends = [places.start, *cuts.tolist(), places.stop]
    parts = [
        [_coordinates(poses, place) for place in range(start, stop)]
        for start, stop in pairwise(ends)
        if stop - start > 1
    ]
    if len(parts) == 1:
        return {"type": "LineString", "coordinates": parts[0]}
    return {"type": "MultiLineString", "coordinates": parts}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
