"""Messages of a recorded bag in the order of their bag time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore

from selavpr_ros.bags.topics import TopicInfo
from selavpr_ros.errors import BagError


class BagReader:
    """A rosbag2 directory, a bare .mcap or .db3 file, or a ROS 1 .bag, opened for reading.

    Raises:
        BagError: the bag is missing or not readable.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise BagError(f"{self.path}: no such bag; check the path")
        self._reader = AnyReader([self.path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        try:
            self._reader.open()
        except AnyReaderError as error:
            raise BagError(f"{self.path}: cannot be read: {error}") from None
        self.topics: dict[str, TopicInfo] = {
            name: TopicInfo(name, info.msgtype or "", info.msgcount)
            for name, info in self._reader.topics.items()
        }
        self.start: int = self._reader.start_time
        self.end: int = self._reader.end_time
        self.warnings: list[str] = []
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        self.size_bytes: int = sum(file.stat().st_size for file in files)

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, bag stamp in ns, message) of the given topics in bag-time order."""
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:
            return
        for connection, stamp, raw in self._reader.messages(wanted):
            try:
                message = self._reader.deserialize(raw, connection.msgtype)
            except (AnyReaderError, SerdeError) as error:
                self.warnings.append(f"{connection.topic}: message at {stamp}: {error}")
                continue
            yield connection.topic, stamp, message

    def close(self) -> None:
        """Close the bag's files; closing twice is allowed."""
        if self._reader.stack is not None:
            self._reader.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def stamp_of(message: Any, bag_stamp: int) -> int:
    """Nanoseconds of the message's header stamp, or the bag stamp where there is none or it is 0.

    Works for rosbags' and rclpy's spelling of the stamp (sec, nanosec) alike.
    """
    header = getattr(message, "header", None)
    if header is None:
        return bag_stamp
    stamp = int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
    return stamp or bag_stamp
