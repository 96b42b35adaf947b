"""A bag as queries to a map: its keyframes, described and located as places are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from selavpr_core.describer import Describer
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.bags import BagReader
from selavpr_ros.mapping.builder import build_map
from selavpr_ros.mapping.recording import FIX_TYPES
from selavpr_ros.mapping.settings import MappingSettings
from selavpr_ros.mapping.summary import MapSummary


@contextmanager
def query_drive(
    bag: Path | str,
    datum: Datum | None,
    describer: Describer,
    settings: MappingSettings | None = None,
    progress: bool = False,
) -> Iterator[tuple[PlaceMap, MapSummary]]:
    """Describe the keyframes of a bag; yield them as a map of their own, and what became of them.

    Positions are in the frame of the map that is asked where that has a datum and the bag has
    fixes. Else the drive has no datum, and its positions are in the frame of its own odometry. The
    map lies in a temporary folder that is removed when the block ends.

    Args:
        bag: path of a rosbag2 or ROS 1 bag.
        datum: of the map that will be asked.
        describer: the model that made that map.
        settings: topics, gates, keyframes; the datum and where positions come from are set here.
        progress: whether to draw progress bars on stderr, where that is a terminal.

    Raises:
        BagError, GeodesyError: the bag gives no place.
    """
    settings = settings or MappingSettings()
    located = datum is not None and settings.position_from != "pose" and _has_fixes(bag)
    settings = replace(
        settings, datum=datum if located else None, position_from="fix" if located else "pose"
    )
    with tempfile.TemporaryDirectory(prefix="selavpr_queries_") as folder:
        path = Path(folder, "queries")
        summary = build_map([bag], path, describer, settings, progress)
        yield PlaceMap.load(path), summary


def _has_fixes(bag: Path | str) -> bool:
    with BagReader(bag) as reader:
        return any(info.type in FIX_TYPES and info.count for info in reader.topics.values())
