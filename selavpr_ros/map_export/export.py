"""Writing a map's places to a file, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.segment import Progress
from selavpr_ros.map_export.geojson import geojson_lines
from selavpr_ros.map_export.kml import kml_lines
from selavpr_ros.map_export.tum import tum_lines
from selavpr_ros.whole_file import whole_file

Format = Literal["geojson", "kml", "tum"]
FORMATS: tuple[Format, ...] = get_args(Format)

_LINES: dict[Format, Callable[[PlaceMap, Progress], Iterator[str]]] = {
    "geojson": geojson_lines,
    "kml": kml_lines,
    "tum": tum_lines,
}
_SUFFIXES: dict[str, Format] = {".geojson": "geojson", ".json": "geojson", ".kml": "kml"}
_SUFFIXES.update({".tum": "tum", ".txt": "tum"})


def format_of(output: Path) -> Format | None:
    """Return the format that a file's name stands for, None where it says nothing."""
    return _SUFFIXES.get(output.suffix.lower())


def export_map(
    place_map: PlaceMap,
    output: Path,
    kind: str,
    progress: Progress | None = None,
) -> None:
    """Write the places of a map to a file, which is replaced if it exists.

    Args:
        place_map: the map; GeoJSON and KML need one with a datum.
        output: the file.
        kind: one of FORMATS.
        progress: is called with 1 for each place that was written.

    Raises:
        MapError: an unknown format, or one that needs a datum.
        StorageError: the file cannot be written.
    """
    if kind not in FORMATS:
        raise MapError(f"there is no format {kind!r}: choose one of {', '.join(FORMATS)}")
    with whole_file(output) as file:
        file.writelines(_LINES[kind](place_map, progress or (lambda _: None)))
