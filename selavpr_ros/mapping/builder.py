"""The build: bags in, a place map out.

Each bag is read twice. The first pass takes only the topics that tell where the robot was; the
second goes through the images, and each is geotagged, held against the gates and the last keyframe
before it is decoded. Descriptions are written as they come, so memory does not grow with the bag.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from selavpr_core.describer import Describer
from selavpr_core.errors import GeodesyError, MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import MapWriter, ModelInfo, SegmentWriter
from selavpr_core.place_map.manifest import Manifest, read_manifest
from selavpr_ros.bags import BagReader, choose_topic, stamp_of
from selavpr_ros.errors import BagError, ImageError
from selavpr_ros.images import to_rgb
from selavpr_ros.mapping.camera import CameraLog
from selavpr_ros.mapping.geotag import (
    Geotagger,
    Pose,
    first_datum,
    tag_by_fixes,
    tag_by_poses,
)
from selavpr_ros.mapping.keyframes import KeyframeSelector
from selavpr_ros.mapping.recording import (
    FIX_TYPES,
    IMAGE_TYPES,
    IMU_TYPES,
    ODOMETRY_TYPES,
    POSE_TYPES,
    FixLog,
    OrientationLog,
    PoseLog,
)
from selavpr_ros.mapping.settings import MappingSettings
from selavpr_ros.mapping.summary import BagSummary, MapSummary
from selavpr_ros.mapping.thumbnail import thumbnail
from selavpr_ros.mapping.track import NANOSECONDS, Drop
from selavpr_ros.progress import progress_bar

_logger = logging.getLogger(__name__)


def build_map(
    bags: Sequence[Path | str],
    output: Path | str,
    describer: Describer,
    settings: MappingSettings | None = None,
    progress: bool = False,
) -> MapSummary:
    """Describe the keyframes of bags and add them to a place map, one segment a bag.

    A new map takes its datum from the settings or the first bag's first good fix. An existing map
    keeps its own, and must have been made with the same weights. A bag that cannot be used is
    reported in the summary, and the others go on.

    Args:
        bags: paths of rosbag2 or ROS 1 bags.
        output: folder of the map; made if it does not exist.
        describer: turns images into codes and descriptors.
        settings: topics, gates, keyframes; None for the defaults.
        progress: whether to draw a progress bar on stderr, where that is a terminal.

    Raises:
        MapError: the map cannot be written, or was made with other weights or another datum.
        BagError, GeodesyError: no bag gave any place.
    """
    started = time.monotonic()
    settings = settings or MappingSettings()
    output = Path(output)
    model = ModelInfo.from_describer(describer)
    existing = existing_map(output, settings)
    with ExitStack() as stack:
        build = _Build(stack, output, model, existing, describer, settings, progress)
        summaries = [build.add(str(bag), alone=len(bags) == 1) for bag in bags]
        if not any(summary.kept for summary in summaries):
            failures = "; ".join(f"{summary.error}" for summary in summaries)
            raise BagError(f"no bag gave any place: {failures}")
        assert build.writer is not None
        segments = build.writer.segments
        return MapSummary(
            map=str(output),
            places=sum(segment.count for segment in segments),
            segments=len(segments),
            size_bytes=sum(
                stored.bytes
                for segment in segments
                for stored in (segment.data, segment.thumbnails)
                if stored is not None
            ),
            model=model,
            device=describer.device,
            precision=describer.precision,
            datum=build.datum,
            bags=summaries,
            seconds=time.monotonic() - started,
        )


def existing_map(output: Path, settings: MappingSettings) -> Manifest | None:
    """Return the manifest of a map that has places already, None where a new one can be made.

    Raises:
        MapError: the folder holds something else, or its datum is not the one asked for.
    """
    if not output.exists() or (output.is_dir() and not any(_visible(output))):
        return None
    manifest = read_manifest(output)
    if not manifest.segments:
        return None
    if settings.datum is not None and settings.datum != manifest.datum:
        raise MapError(f"{output} has a datum of its own: leave --datum out to add to it")
    if settings.position_from == "fix" and manifest.datum is None:
        raise MapError(f"{output} was made without GPS: write a new map to use fixes")
    if settings.position_from == "pose" and manifest.datum is not None:
        raise MapError(f"{output} was made with GPS: write a new map to use poses alone")
    return manifest


def _visible(folder: Path) -> Iterable[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


class _Build:
    """One run over several bags: the map opened for writing, and its datum once it is known."""

    def __init__(
        self,
        stack: ExitStack,
        output: Path,
        model: ModelInfo,
        existing: Manifest | None,
        describer: Describer,
        settings: MappingSettings,
        progress: bool,
    ) -> None:
        self._stack = stack
        self._output = output
        self._model = model
        self._describer = describer
        self._settings = settings
        self._progress = progress
        self.writer: MapWriter | None = None
        self.datum: Datum | None = None
        if existing is not None:  # refuses other weights before any work
            self._open(existing.datum)

    def add(self, bag: str, alone: bool) -> BagSummary:
        """Add one bag as a segment; an unusable one is reported, or raised when it is `alone`."""
        summary = BagSummary(bag)
        started = time.monotonic()
        try:
            self._add(Path(bag), summary)
        except (BagError, GeodesyError) as error:
            if alone:
                raise
            said = str(error)
            summary.error = said if said.startswith(bag) else f"{bag}: {said}"
        summary.seconds = time.monotonic() - started
        for warning in summary.warnings:
            _logger.warning("%s: %s", bag, warning)
        if summary.error is not None:
            _logger.error("left out: %s", summary.error)
        else:
            _logger.info(
                "%s: %d of %d frames kept in %.0f s",
                bag,
                summary.kept,
                summary.frames,
                summary.seconds,
            )
        return summary

    def _add(self, bag: Path, summary: BagSummary) -> None:
        settings = self._settings
        with BagReader(bag) as reader:
            topic = choose_topic(reader.topics, IMAGE_TYPES, settings.image_topic, "image")
            assert topic is not None
            cameras = CameraLog(
                reader.topics, topic, settings.camera_info_topic, settings.rectified
            )
            with self._bar(f"{summary.name}: track") as bar:
                tagger, datum = self._first_pass(reader, summary, bar)
            writer = self.writer or self._open(datum)
            summary.track_length = tagger.track.length()
            if any(segment.source == summary.bag for segment in writer.segments):
                summary.warn("the map has a segment of this bag already: its places come twice")
            with writer.segment(Path(summary.name).stem, source=summary.bag) as segment:
                with self._bar(f"{summary.name}: images", reader.topics[topic].count) as bar:
                    self._second_pass(reader, topic, cameras, tagger, segment, summary, bar)
                for warning in reader.warnings:
                    summary.warn(warning)
                if not summary.kept:
                    raise BagError(f"{bag}: {_nothing_kept(summary, topic, tagger)}")
                summary.segment = segment.name
                segment.camera, problems = cameras.result()
                summary.camera = segment.camera
                for problem in problems:
                    summary.warn(problem)

    def _open(self, datum: Datum | None) -> MapWriter:
        self.datum = datum
        self.writer = self._stack.enter_context(MapWriter(self._output, self._model, datum))
        return self.writer

    def _bar(self, description: str, total: int = 0) -> tqdm[Any]:
        unit = "frames" if total else "messages"
        return progress_bar(description, total or None, unit, self._progress, delay=0.0)

    def _first_pass(
        self, reader: BagReader, summary: BagSummary, bar: tqdm[Any]
    ) -> tuple[Geotagger, Datum | None]:
        """Read where the robot was; the datum is None in a map without GPS."""
        settings = self._settings
        if not self._by_fixes(reader):
            types = (*ODOMETRY_TYPES, *POSE_TYPES)
            topic = choose_topic(reader.topics, types, settings.pose_topic, "pose")
            assert topic is not None
            poses = PoseLog()
            _collect(reader, {topic: poses}, bar)
            recorded = poses.result()
            if self.writer is not None and self.writer.segments and recorded.frame != "map":
                summary.warn(
                    f"the poses are taken to be in the frame of the map's other segments, though"
                    f" frame {recorded.frame!r} of another recording rarely is"
                )
            return tag_by_poses(recorded, settings), None

        fix_topic = choose_topic(reader.topics, FIX_TYPES, settings.fix_topic, "fix")
        assert fix_topic is not None
        fixes = FixLog()
        logs: dict[str, FixLog | PoseLog | OrientationLog] = {fix_topic: fixes}
        orientation = self._orientation_topic(reader)
        orientation_log: PoseLog | OrientationLog | None = None
        if orientation is not None:
            is_imu = reader.topics[orientation].type in IMU_TYPES
            orientation_log = OrientationLog() if is_imu else PoseLog()
            logs[orientation] = orientation_log
        _collect(reader, logs, bar)
        recorded_fixes = fixes.result()
        datum = self.datum or settings.datum or first_datum(recorded_fixes, settings)
        oriented = None if orientation_log is None else orientation_log.result()
        return tag_by_fixes(recorded_fixes, oriented, datum, settings), datum

    def _by_fixes(self, reader: BagReader) -> bool:
        """Whether positions come from GPS: as in the map so far, else as the bag offers."""
        if self._settings.position_from != "auto":
            return self._settings.position_from == "fix"
        if self.writer is not None:
            return self.datum is not None
        if self._settings.fix_topic or self._settings.datum:
            return True
        return any(info.type in FIX_TYPES and info.count for info in reader.topics.values())

    def _orientation_topic(self, reader: BagReader) -> str | None:
        """Topic of the headings in a map with GPS; None for the direction of travel."""
        settings = self._settings
        poses = (*ODOMETRY_TYPES, *POSE_TYPES)
        if settings.heading_from == "track":
            return None
        if settings.heading_from == "pose" or settings.pose_topic:
            return choose_topic(reader.topics, poses, settings.pose_topic, "pose")
        if settings.heading_from == "imu" or settings.imu_topic:
            return choose_topic(reader.topics, IMU_TYPES, settings.imu_topic, "imu")
        for types, role in ((ODOMETRY_TYPES, "pose"), (POSE_TYPES, "pose"), (IMU_TYPES, "imu")):
            topic = choose_topic(reader.topics, types, None, role, required=False)
            if topic is not None:
                return topic
        return None

    def _second_pass(
        self,
        reader: BagReader,
        topic: str,
        cameras: CameraLog,
        tagger: Geotagger,
        segment: SegmentWriter,
        summary: BagSummary,
        bar: tqdm[Any],
    ) -> None:
        """Describe the keyframes and add them to the segment, a batch at a time."""
        waiting: deque[_Keyframe] = deque()
        images = self._keyframes(reader, topic, cameras, tagger, summary, waiting, bar)
        for description in self._describer.stream(images):
            described = (
                description.codes if description.codes is not None else description.descriptors
            )
            assert described is not None
            batch = [waiting.popleft() for _ in described]
            segment.add(
                description.codes,
                description.descriptors,
                positions=np.array([frame.pose.position for frame in batch]),
                headings=np.array([frame.pose.heading for frame in batch]),
                heading_sigmas=np.array([frame.pose.heading_sigma for frame in batch]),
                position_sigmas=np.array([frame.pose.position_sigma for frame in batch]),
                stamps=np.array([frame.stamp for frame in batch], dtype=np.int64),
                thumbnails=[frame.thumbnail for frame in batch],
            )
            summary.kept += len(batch)
            for frame in batch:
                summary.headings[frame.pose.heading_source] += 1

    def _keyframes(
        self,
        reader: BagReader,
        topic: str,
        cameras: CameraLog,
        tagger: Geotagger,
        summary: BagSummary,
        waiting: deque[_Keyframe],
        bar: tqdm[Any],
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the pixels of keyframes, each noted in `waiting` first.

        The describer runs this in its own thread, a few batches ahead of the consumer.
        """
        settings = self._settings
        selector = KeyframeSelector(settings.keyframe_distance, settings.keyframe_heading)
        topics = {topic} if cameras.topic is None else {topic, cameras.topic}
        for name, bag_stamp, message in reader.messages(topics):
            if name != topic:
                cameras.add(message)
                continue
            stamp = stamp_of(message, bag_stamp)
            summary.saw(stamp)
            bar.update()
            pose = tagger.tag(stamp)
            if isinstance(pose, Drop):
                summary.dropped[pose.value] += 1
            elif not selector.wants(pose.position, pose.heading):
                summary.near += 1
            else:
                try:
                    image = to_rgb(message)
                except ImageError as error:
                    summary.could_not_decode(stamp, str(error))
                    continue
                selector.keep(pose.position, pose.heading)
                cameras.saw(image.shape[1], image.shape[0])
                small = thumbnail(image) if settings.thumbnails else b""
                waiting.append(_Keyframe(stamp, pose, small))
                yield image


class _Keyframe(NamedTuple):
    """A frame that waits for its description."""

    stamp: int
    pose: Pose
    thumbnail: bytes


def _collect(reader: BagReader, logs: dict[str, Any], bar: tqdm[Any]) -> None:
    """Fill the log of each topic."""
    for topic, bag_stamp, message in reader.messages(logs.keys()):
        logs[topic].add(stamp_of(message, bag_stamp), message)
        bar.update()


def _nothing_kept(summary: BagSummary, topic: str, tagger: Geotagger) -> str:
    """Say why a bag gave no place."""
    if not summary.frames:
        return f"no image on {topic} could be read"
    reasons = [summary.dropped_in_words()] if any(summary.dropped.values()) else []
    if summary.corrupt:
        reasons.append(f"{summary.corrupt} that cannot be decoded ({summary.warnings[0]})")
    said = f"none of {summary.frames} images on {topic} can be used: {', '.join(reasons)}"
    if summary.dropped[Drop.OUTSIDE.value] == summary.frames:
        assert summary.first_stamp is not None
        assert summary.last_stamp is not None
        track = tagger.track.stamps
        said += (
            f"; the images are from {_time(summary.first_stamp)} to {_time(summary.last_stamp)}"
            f" and the track from {_time(int(track[0]))} to {_time(int(track[-1]))}:"
            " were their clocks set alike?"
        )
    return said


def _time(stamp: int) -> str:
    return f"{datetime.fromtimestamp(stamp * NANOSECONDS, tz=timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
