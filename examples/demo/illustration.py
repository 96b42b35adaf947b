"""The picture of a demo, from its report, its map and the pictures in its query bag."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.demo import picture
from examples.demo.report import RADIUS, Report, Row, metres, share
from examples.demo.topics import Topics
from selavpr_core.place_map import PlaceMap
from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb

Image = NDArray[np.uint8]


def illustrate(
    path: Path,
    report: Report,
    place_map: PlaceMap,
    query_line: NDArray[np.float64],
    query_bag: Path,
    topics: Topics,
) -> None:
    """Write the picture of a report as PNG. query_line: [K, 2] metres, where the query went."""
    rows = telling(report)
    taken = _images(query_bag, topics, [row.answer.stamp for row in rows])
    pairs = [
        (row, taken[row.answer.stamp], _thumbnail(place_map, row.answer.places[0]))
        for row in rows
        if row.answer.stamp in taken
    ]
    model = place_map.model
    untrained = "" if model.pretrained else " (untrained)"
    drawn = picture.draw(
        report,
        place_map.positions,
        query_line,
        pairs,
        title=f"{share(report.recall[1])} of {report.counted} frames found within {RADIUS:.0f} m: "
        f"median error {metres(report.error_within(0.5))}, "
        f"95 % within {metres(report.error_within(0.95))}",
        subtitle=f"each frame from its image alone, among {len(place_map)} places; a random place "
        f"would be right for {share(report.chance)}; weights {model.source}{untrained}",
        north_up=place_map.datum is not None,
    )
    cv2.imwrite(str(path), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))


def telling(report: Report) -> list[Row]:
    """Three rows worth a look: the best, the middle and the worst pose."""
    rows = [row for row in report.rows if row.error is not None]
    rows.sort(key=lambda row: row.error or 0.0)
    if len(rows) <= 3:
        return rows
    return [rows[0], rows[len(rows) // 2], rows[-1]]


def _thumbnail(place_map: PlaceMap, place: int) -> Image | None:
    """A place's picture, RGB, where the map has one."""
    stored = place_map.thumbnail(place)
    if stored is None:
        return None
    decoded = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR)
    return None if decoded is None else np.asarray(decoded[..., ::-1], np.uint8).copy()


def _images(bag: Path, topics: Topics, stamps: Collection[int]) -> dict[int, Image]:
    """The images of a bag with these stamps, RGB."""
    found = {}
    with BagReader(bag) as reader:
        for _, bag_stamp, message in reader.messages({topics.image_in(reader)}):
            stamp = stamp_of(message, bag_stamp)
            if stamp in stamps:
                try:
                    found[stamp] = to_rgb(message)
                except ImageError:
                    continue
    return found
