"""One bag for both parts: its frames taken in turns for the map and for the queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from examples.demo.errors import DemoError
from examples.demo.topics import Topics
from selavpr_ros.bags import BagReader
from selavpr_ros.mapping.recording import (
    FIX_TYPES,
    IMU_TYPES,
    ODOMETRY_TYPES,
    POSE_TYPES,
)

_MOTION_TYPES = (*FIX_TYPES, *ODOMETRY_TYPES, *POSE_TYPES, *IMU_TYPES)


def split(bag: Path, map_bag: Path, query_bag: Path, topics: Topics) -> tuple[int, int]:
    """Write the first, third, ... image of a bag to `map_bag`, the others to `query_bag`.

    Both new rosbag2 folders (mcap) also hold everything that tells positions and headings.
    Returns the number of images in each. Raises BagError, DemoError.
    """
    types = get_typestore(Stores.ROS2_JAZZY)
    counts = [0, 0]
    with BagReader(bag) as reader:
        image_topic = topics.image_in(reader)
        wanted = [
            topic
            for topic, info in reader.topics.items()
            if topic == image_topic or info.type in _MOTION_TYPES
        ]
        with _writer(map_bag) as first, _writer(query_bag) as second:
            writers = (first, second)
            connections: list[dict[str, Any]] = [
                {
                    topic: writer.add_connection(topic, reader.topics[topic].type, typestore=types)
                    for topic in wanted
                }
                for writer in writers
            ]
            for topic, stamp, message in reader.messages(wanted):
                data = types.serialize_cdr(message, reader.topics[topic].type)
                if topic == image_topic:
                    half = sum(counts) % 2
                    writers[half].write(connections[half][topic], stamp, data)
                    counts[half] += 1
                else:
                    for writer, connection in zip(writers, connections, strict=True):
                        writer.write(connection[topic], stamp, data)
    if not counts[1]:
        raise DemoError(f"{bag} has {counts[0]} image: two are needed, one to find the other")
    return counts[0], counts[1]


def _writer(path: Path) -> Writer:
    return Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
