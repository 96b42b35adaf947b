"""Messages of a recorded bag in the order of their bag time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from selavpr_ros.bags.decoding import Decoder, UndecodableError
from selavpr_ros.bags.files import METADATA, Metadata, Unpacker, find_files, open_recording
from selavpr_ros.bags.storage import Channel, Recording, in_time_order, ros2_type
from selavpr_ros.bags.topics import TopicInfo
from selavpr_ros.errors import BagError


class _File(NamedTuple):
    path: Path  # as it lies in the bag, perhaps compressed
    recording: Recording


class BagReader:
    """A recorded bag: rosbag2 (sqlite3 or mcap, also zstd), or ROS 1; no ROS is needed.

    A context manager. Damage is no error as long as something can be read: `warnings` says what
    is missing.

    Args:
        path: a rosbag2 folder, an .mcap or .db3 file, or a ROS 1 .bag.

    Attributes:
        topics: what the bag holds, by name; `count` is what can be read.
        start, end: bag time of the first and the last message, ns; both 0 without messages.
        size_bytes: size of the files on disk.

    Raises:
        BagError: there is no bag, or nothing can be read from it.
    """

    topics: dict[str, TopicInfo]
    start: int
    end: int
    size_bytes: int

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.name == METADATA:
            self.path = self.path.parent
        try:
            paths, metadata, self._problems = find_files(self.path)
        except OSError as error:
            raise BagError(f"{self.path}: cannot be read ({error.strerror})") from None
        self._undecodable: dict[str, tuple[int, str]] = {}
        self._decoder = Decoder(metadata.distribution if metadata else None)
        self._unpacker = Unpacker()
        self._files: list[_File] = []
        try:
            self._open(paths, metadata)
        except BaseException:
            self.close()
            raise

    @property
    def warnings(self) -> list[str]:
        """One line for each thing that is damaged or left out; grows while messages are read."""
        return self._problems + [
            f"{topic}: {count} message{'' if count == 1 else 's'} could not be decoded and "
            f"{'was' if count == 1 else 'were'} left out (the first: {reason})"
            for topic, (count, reason) in self._undecodable.items()
        ]

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, bag stamp in ns, message) of the given topics, in order of bag time.

        Messages are objects of rosbags with the fields that ROS 2 gives them, also those of
        ROS 1 bags. Only what is read at the moment is in memory. Messages that cannot be decoded
        are left out and counted in `warnings`.

        Raises:
            ValueError: the reader was closed before.
        """
        if not self._files:
            raise ValueError(f"{self.path}: the reader is closed")
        for topic in topics:
            self._undecodable.pop(topic, None)
        sources = [
            (file.recording.start, self._source(file, frozenset(topics)))
            for file in self._files
            if file.recording.start is not None
        ]
        found: Counter[str] = Counter()
        for stamp, channel, data in in_time_order(sources):
            found[channel.topic] += 1
            try:
                message = self._decoder.decode(channel, data)
            except UndecodableError as error:
                count, reason = self._undecodable.get(channel.topic, (0, str(error)))
                self._undecodable[channel.topic] = (count + 1, reason)
                continue
            yield channel.topic, stamp, message
        for topic in sorted(topics):
            count = self.topics[topic].count if topic in self.topics else 0
            if found[topic] < count:
                self._report(f"{topic}: only {found[topic]} of {count} messages were found")

    def close(self) -> None:
        """Remove what was unpacked; messages cannot be read any more. Closing twice is allowed."""
        self._files.clear()
        self._unpacker.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, paths: list[Path], metadata: Metadata | None) -> None:
        failures: list[BagError] = []
        for path in paths:
            try:
                with self._unpacker.unpacked(path) as unpacked:
                    recording = open_recording(unpacked, str(path))
            except OSError as error:
                failures.append(BagError(f"{path}: cannot be read ({error.strerror})"))
            except BagError as error:
                cut = BagError(f"{path}: was cut short before anything that can be read")
                failures.append(cut if path in self._unpacker.cut else error)
            else:
                self._files.append(_File(path, recording))
                if path in self._unpacker.cut and not recording.problems:
                    self._report(f"{path.name} was cut short")
                self._report(*recording.problems)
        if not self._files:
            raise failures[0]
        self._report(*(str(failure) for failure in failures))

        if metadata is not None and not self._problems:
            counts = [(topic, ros2_type(name), count) for topic, name, count in metadata.topics]
        else:
            counts = self._counted()
        channels = [c for file in self._files for c in file.recording.channels.values()]
        if not channels and self._problems:
            raise BagError(f"{self.path}: nothing can be read from it: {self._problems[-1]}")
        self.topics = _listed(counts + [(c.topic, c.type, 0) for c in channels])
        recordings = [file.recording for file in self._files]
        self.start = min((r.start for r in recordings if r.start is not None), default=0)
        self.end = max((r.end for r in recordings if r.end is not None), default=0)
        self.size_bytes = sum(path.stat().st_size for path in paths)

    def _counted(self) -> list[tuple[str, str, int]]:
        """(topic, type, number of messages) as the files have them."""
        counted = []
        for file in self._files:
            with self._unpacker.unpacked(file.path):
                counts = file.recording.counts()
            self._report(*file.recording.problems)  # counting may find damage, too
            for number, channel in file.recording.channels.items():
                counted.append((channel.topic, channel.type, counts.get(number, 0)))
        return counted

    def _report(self, *problems: str) -> None:
        self._problems += [problem for problem in problems if problem not in self._problems]

    def _source(
        self, file: _File, topics: frozenset[str]
    ) -> Callable[[], Iterator[tuple[int, Channel, bytes | memoryview]]]:
        def messages() -> Iterator[tuple[int, Channel, bytes | memoryview]]:
            channels = file.recording.channels
            wanted = [number for number, channel in channels.items() if channel.topic in topics]
            if not wanted:
                return
            try:
                with self._unpacker.unpacked(file.path):
                    for raw in file.recording.messages(wanted, self._report):
                        yield raw.stamp, channels[raw.channel], raw.data
            except OSError as error:
                self._report(f"{file.path.name}: reading it broke off ({error.strerror})")

        return messages


def _listed(counts: list[tuple[str, str, int]]) -> dict[str, TopicInfo]:
    """Topics by name; one of several types is listed with the type of most of its messages."""
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    for topic, type_name, count in counts:
        by_type[topic][type_name] += count
    return {
        topic: TopicInfo(topic, types.most_common(1)[0][0], sum(types.values()))
        for topic, types in sorted(by_type.items())
    }


def stamp_of(message: Any, bag_stamp: int) -> int:
    """Nanoseconds of the message's header stamp, or the bag stamp where there is none or it is 0.

    Works for messages of rosbags and of rclpy alike.
    """
    header = getattr(message, "header", None)
    if header is None:
        return bag_stamp
    stamp = int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
    return stamp or bag_stamp
