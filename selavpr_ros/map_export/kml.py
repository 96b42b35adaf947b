"""KML 2.2: a folder for each segment, with its line and its places."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

from selavpr_core.place_map import PlaceMap, SegmentInfo
from selavpr_core.place_map.info import iso_time
from selavpr_core.place_map.segment import Progress
from selavpr_ros.map_export.earth import EarthPoses, earth_poses
from selavpr_ros.map_view.colours import segment_colour

_CAMERA = "http://maps.google.com/mapfiles/kml/shapes/arrow.png"


def kml_lines(place_map: PlaceMap, progress: Progress = lambda _: None) -> Iterator[str]:
    """Yield the file; places lie on the ground, since KML counts heights from the sea's level.

    Arrows point where the camera looked. `progress` is called with 1 after each place.

    Raises:
        MapError: the map has no datum.
    """
    poses = earth_poses(place_map, "KML")
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<kml xmlns="http://www.opengis.net/kml/2.2">\n<Document>\n'
        f" <name>{_text(place_map.path.resolve().name)}</name>\n"
    )
    for number, (segment, places) in enumerate(place_map.numbered_segments()):
        yield from _folder(place_map, poses, segment, places, number, progress)
    yield "</Document>\n</kml>\n"


def _folder(
    place_map: PlaceMap,
    poses: EarthPoses,
    segment: SegmentInfo,
    places: range,
    number: int,
    progress: Progress,
) -> Iterator[str]:
    red, green, blue = segment_colour(number)
    colour = f"ff{blue:02x}{green:02x}{red:02x}"
    name = _text(segment.name)
    yield (
        f' <Style id="segment-{number}">\n'
        f"  <LineStyle><color>{colour}</color><width>3</width></LineStyle>\n"
        f"  <IconStyle><color>{colour}</color><scale>0.5</scale>"
        f"<Icon><href>{_CAMERA}</href></Icon></IconStyle>\n"
        "  <LabelStyle><scale>0</scale></LabelStyle>\n </Style>\n"
        f" <Folder>\n  <name>{name}</name>\n"
        f"  <description>{_text(segment.source)}</description>\n"
        f"  <Placemark>\n   <name>{name}</name>\n   <styleUrl>#segment-{number}</styleUrl>\n"
        "   <LineString><tessellate>1</tessellate><coordinates>\n"
    )
    for place in places:
        yield f"    {_coordinates(poses, place)}\n"
    yield "   </coordinates></LineString>\n  </Placemark>\n"
    for place in places:
        azimuth = float(poses.azimuths[place])
        # Google's arrow points down at heading 0.
        turned = (
            ""
            if math.isnan(azimuth)
            else "   <Style><IconStyle>"
            f"<heading>{(azimuth + 180) % 360:.1f}</heading></IconStyle></Style>\n"
        )
        yield (
            f"  <Placemark>\n   <name>{name} {place}</name>\n"
            f"   <TimeStamp><when>{iso_time(int(place_map.stamps[place]))}</when></TimeStamp>\n"
            f"   <styleUrl>#segment-{number}</styleUrl>\n{turned}"
            f"   <Point><coordinates>{_coordinates(poses, place)}</coordinates></Point>\n"
            "  </Placemark>\n"
        )
        progress(1)
    yield " </Folder>\n"


def _coordinates(poses: EarthPoses, place: int) -> str:
    return (
        f"{poses.longitudes[place]:.7f},{poses.latitudes[place]:.7f},{poses.altitudes[place]:.2f}"
    )


def _text(text: str) -> str:
    """Return text as XML 1.0 can hold it: without what it has no way for (its section 2.2)."""
    kept = (c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))
    return escape("".join(kept))
