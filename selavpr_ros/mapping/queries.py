"""A bag as queries to a map: its keyframes, described and located as places are."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from selavpr_core.describer import Describer
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import MapWriter, PlaceMap
from selavpr_ros.bags import BagReader, choose_topic, stamp_of
from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb
from selavpr_ros.mapping.builder import build_map
from selavpr_ros.mapping.recording import FIX_TYPES, IMAGE_TYPES
from selavpr_ros.mapping.settings import MappingSettings
from selavpr_ros.mapping.summary import MapSummary
from selavpr_ros.progress import progress_bar


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


@contextmanager
def frames_at(
    bag: Path | str,
    stamps: Collection[int] | NDArray[np.int64],
    drive: PlaceMap,
    describer: Describer,
    image_topic: str | None = None,
    progress: bool = False,
) -> Iterator[PlaceMap]:
    """Describe the images of a bag that have these stamps; yield them as a map of their own.

    They lie where the drive, made of the same bag by `query_drive`, is at these times. Images that
    the bag does not have, or that cannot be decoded, are left out. The map lies in a temporary
    folder that is removed when the block ends.

    Args:
        bag: path of the bag.
        stamps: nanoseconds since the epoch.
        drive: the places of the bag.
        describer: the model that made them.
        image_topic: name, or None to find it by type.
        progress: whether to draw a progress bar on stderr, where that is a terminal.

    Raises:
        BagError: the bag cannot be read, or has no such topic.
    """
    waiting: deque[int] = deque()

    def images(reader: BagReader, topic: str, bar: tqdm[Any]) -> Iterator[NDArray[np.uint8]]:
        missing = {int(stamp) for stamp in stamps}
        for _, bag_stamp, message in reader.messages({topic}):
            bar.update()
            stamp = stamp_of(message, bag_stamp)
            if stamp not in missing:
                continue
            missing.remove(stamp)
            try:
                image = to_rgb(message)
            except ImageError:
                continue
            waiting.append(stamp)
            yield image
            if not missing:
                return

    with tempfile.TemporaryDirectory(prefix="selavpr_frames_") as folder, BagReader(bag) as reader:
        path = Path(folder, "frames")
        topic = choose_topic(reader.topics, IMAGE_TYPES, image_topic, "image")
        assert topic is not None
        name, count = Path(bag).name, reader.topics[topic].count
        with (
            progress_bar(f"{name}: images", count, "frames", progress, delay=0.0) as bar,
            MapWriter(path, drive.model, drive.datum) as writer,
            writer.segment(name, source=str(bag)) as segment,
        ):
            for description in describer.stream(images(reader, topic, bar)):
                described = (
                    description.codes if description.codes is not None else description.descriptors
                )
                assert described is not None
                batch = np.array([waiting.popleft() for _ in described], np.int64)
                unknown = np.full(len(batch), np.nan)
                segment.add(
                    description.codes,
                    description.descriptors,
                    positions=_positions_at(drive, batch),
                    headings=unknown,
                    heading_sigmas=unknown,
                    position_sigmas=unknown,
                    stamps=batch,
                )
        yield PlaceMap.load(path)


def _positions_at(drive: PlaceMap, stamps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return where a drive is at these times, [N, 3] metres."""
    order = drive.stamps.argsort(kind="stable")
    # From the first stamp: as float64, nanoseconds since the epoch are 256 ns coarse.
    first = drive.stamps.min()
    at, since = stamps - first, drive.stamps[order] - first
    track = drive.positions[order]
    return np.column_stack([np.interp(at, since, track[:, axis]) for axis in range(3)])


def _has_fixes(bag: Path | str) -> bool:
    with BagReader(bag) as reader:
        return any(info.type in FIX_TYPES and info.count for info in reader.topics.values())
