"""The page: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_map import Calibration, PlaceMap
from selavpr_ros.map_view.colours import segment_colour
from selavpr_ros.map_view.drive import Drive
from selavpr_ros.map_view.pictures import MEDIA_TYPE, pictures, plan
from selavpr_ros.mapping.summary import counted, place_of
from selavpr_ros.whole_file import whole_file

RADIUS = 25
"""Metres within which an answer counts as right at first; the page has a slider."""

_THRESHOLD = 0.5  # similarity, of a map that was never calibrated: the node's own default
_BROKEN_LINE = 8.0  # times the median step: longer ones are gaps, not road
_MILLISECONDS = 1_000_000  # nanoseconds


def write_page(
    output: Path,
    place_map: PlaceMap,
    drive: Drive | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write a map as one HTML page: places on a plot, with their pictures; and a drive's queries.

    The same map gives the same bytes. Pictures are made small enough for about 20 MB in all, and
    beyond 96 pixels' width are left out of some places.

    Args:
        output: the file, replaced if it exists.
        place_map: the map.
        drive: queries and what the map answered.
        progress: is called with the number of places (and queries) done since the last call.

    Raises:
        StorageError: the file cannot be written.
    """
    maps = [place_map] if drive is None else [place_map, drive.queries]
    planned = plan(maps)
    texts = [pictures(each, planned, progress) for each in maps]
    parts = {
        "title": html.escape(f"{_name(place_map.path)}: places"),
        "style": _part("page.css"),
        "script": _part("page.js"),
        # A "<" would end the element in a name like "</script>".
        "data": json.dumps(
            _data(place_map, drive, planned.every), separators=(",", ":"), allow_nan=False
        ).replace("<", "\\u003c"),
        "pictures": "\n".join(texts[0]),
        "query_pictures": "\n".join(texts[1]) if drive is not None else "",
    }
    # In one pass: what is put in is not looked at again.
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))
    with whole_file(output) as file:
        file.write(page)


def _part(name: str) -> str:
    return (resources.files("selavpr_ros.map_view") / name).read_text(encoding="utf-8")


def _name(path: Path) -> str:
    return path.resolve().name


def _data(place_map: PlaceMap, drive: Drive | None, every: int) -> dict[str, Any]:
    model, datum = place_map.model, place_map.datum
    segments = place_map.numbered_segments()
    where = "no datum: the frame is its odometry's" if datum is None else f"datum {place_of(datum)}"
    return {
        "name": _name(place_map.path),
        "about": f"{counted(len(place_map), 'place')} in {counted(len(segments), 'session')}; "
        f"weights {model.source} (preset {model.preset}), fingerprint "
        f"{model.short_fingerprint}; {where}",
        "warning": None if model.pretrained else "The weights are untrained: matches mean nothing.",
        "datum": datum is not None,
        "picture_type": MEDIA_TYPE,
        "picture_reach": every // 2,
        "segments": [
            {
                "name": segment.name,
                "source": segment.source,
                "first": places.start,
                "count": segment.count,
                "start": segment.first_stamp // _MILLISECONDS,
                "colour": "#{:02x}{:02x}{:02x}".format(*segment_colour(number)),
                **_steps(place_map.positions[places.start : places.stop]),
            }
            for number, (segment, places) in enumerate(segments)
        ],
        "places": _places(place_map),
        "drive": None if drive is None else _drive(place_map, drive),
    }


def _places(place_map: PlaceMap) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "x": _rounded(place_map.positions[:, 0], 2),
        "y": _rounded(place_map.positions[:, 1], 2),
        "z": _rounded(place_map.positions[:, 2], 2),
        "heading": _rounded(np.degrees(place_map.headings), 1),
        "sigma": _rounded(place_map.position_sigmas, 2),
        "stamp": (place_map.stamps // _MILLISECONDS).tolist(),
        "latitude": None,
        "longitude": None,
    }
    if place_map.datum is not None:
        latitudes, longitudes, _ = place_map.datum.to_wgs84(place_map.positions)
        columns.update(latitude=_rounded(latitudes, 7), longitude=_rounded(longitudes, 7))
    return columns


def _drive(place_map: PlaceMap, drive: Drive) -> dict[str, Any]:
    best = drive.best
    first = [matches[0] for matches in drive.matches]
    unknown = np.full(len(first), math.nan)
    positions = np.full((len(first), 3), math.nan) if drive.positions is None else drive.positions
    turns = unknown
    if drive.headings is not None:
        difference = place_map.headings[best].astype(np.float64) - drive.headings
        turns = np.degrees(np.abs(np.angle(np.exp(1j * difference))))
    calibration = place_map.calibration
    threshold, least_margin, source = _line(calibration, drive)
    return {
        "name": drive.name,
        "note": drive.note,
        "threshold": round(threshold, 4),
        "threshold_from": source,
        "least_margin": round(least_margin, 4),
        "radius": RADIUS if calibration is None else math.ceil(calibration.radius),
        "errors_known": drive.positions is not None,
        "bits": None if place_map.model.code_bytes is None else 8 * place_map.model.code_bytes,
        "x": _rounded(positions[:, 0], 2),
        "y": _rounded(positions[:, 1], 2),
        "longest_step": _steps(positions)["longest_step"],
        "stamp": (drive.queries.stamps // _MILLISECONDS).tolist(),
        "place": best.tolist(),
        "similarity": [round(match.similarity, 4) for match in first],
        "margin": _rounded(drive.margins, 4),
        "hamming": [match.hamming for match in first],
        "error": _rounded(drive.errors(place_map), 2),
        "turn": _rounded(turns, 1),
        "nearest": _rounded(drive.nearest(place_map), 2),
        "candidates": [
            [
                [match.place, round(match.similarity, 4), _distance(place_map, match.place, at)]
                for match in matches
            ]
            for matches, at in zip(drive.matches, positions, strict=True)
        ],
    }


def _line(calibration: Calibration | None, drive: Drive) -> tuple[float, float, str]:
    """Return least similarity and margin of an answer, and where they are from, in words."""
    by_default = "this is where the node draws the line by default."
    if calibration is None:
        return _THRESHOLD, 0.0, f"The map is not calibrated: {by_default}"
    search = drive.mode, drive.candidates
    if not calibration.similarity_holds(*search):
        asked = f"mode {drive.mode} with {counted(drive.candidates, 'candidate')}"
        return _THRESHOLD, 0.0, f"The map is not calibrated for {asked}: {by_default}"
    begins = f"The map's calibration begins at {calibration.similarity:.2f}"
    if not calibration.margin_holds(*search):
        other = counted(calibration.candidates, "candidate")
        return (
            calibration.similarity,
            0.0,
            f"{begins}; its margin is not asked for, since it was found with {other}.",
        )
    precision = f"a precision of {calibration.wanted_precision:.1%}"
    if calibration.reached:
        begins = f"{begins}, for {precision}"
    else:
        begins = f"{begins}, which comes closest to {precision} (not reached)"
    return (
        calibration.similarity,
        calibration.margin,
        f"{begins}, and asks for a margin of {calibration.margin:.2f}.",
    )


def _distance(place_map: PlaceMap, place: int, at: NDArray[np.float64]) -> float | None:
    x, y, _ = place_map.positions[place] - at
    distance = math.hypot(x, y)
    return None if math.isnan(distance) else round(distance, 2)


def _steps(positions: NDArray[np.float64]) -> dict[str, float]:
    """Length of a track in metres, and the longest step that is still drawn as a line."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    steps = steps[np.isfinite(steps)]
    median = float(np.median(steps)) if len(steps) else 0.0
    longest = max(_BROKEN_LINE * median, 1.0)
    return {"length": round(float(steps.sum()), 1), "longest_step": round(longest, 2)}


def _rounded(column: NDArray[np.floating], decimals: int) -> list[float | None]:
    """Return plain numbers, None for NaN."""
    values = np.round(column.astype(np.float64), decimals)
    return [None if math.isnan(value) else value for value in values.tolist()]
