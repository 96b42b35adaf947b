"""What tests of damaged bags share: bags with known messages, and reading one whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selavpr_ros.bags import BagReader
from selavpr_ros.errors import BagError
from test.bags_on_disk import Compression, Storage, write_bag

SECOND = 1_000_000_000

Message = tuple[str, int, Any]  # topic, bag stamp, what identifies its content


class Result(NamedTuple):
    messages: list[Message]
    warnings: list[str]
    counts: dict[str, int]


def content(message: Any) -> Any:
    if hasattr(message, "latitude"):
        return (message.header.stamp.sec, message.latitude)
    return (message.header.stamp.sec, message.encoding, message.data.tobytes())


def read(path: Path) -> Result:
    """Everything of a bag."""
    with BagReader(path) as reader:
        counts = {name: topic.count for name, topic in reader.topics.items()}
        messages = [(t, stamp, content(m)) for t, stamp, m in reader.messages(reader.topics)]
        warnings = list(reader.warnings)
    assert all("\n" not in warning for warning in warnings)
    return Result(messages, warnings, counts)


def read_damaged(path: Path) -> Result | None:
    """Everything that is left of a bag; None where the error says that nothing is."""
    try:
        return read(path)
    except BagError as error:
        text = str(error)
    assert "\n" not in text
    assert path.name in text
    return None


def drive(
    path: Path, storage: Storage, compression: Compression = "none", seconds: int = 40
) -> Path:
    """A bag of images (some small, most larger than pages and blocks) and fixes in between."""
    rng = np.random.default_rng(0)
    shapes = [(60, 400, 3), (90, 300, 3), (4, 5, 3)]
    return write_bag(
        path,
        storage,
        compression=compression,
        images=[
            (i * SECOND, rng.integers(0, 256, shapes[i % 3], np.uint8))
            for i in range(1, seconds + 1)
        ],
        fixes=[(i * SECOND + 5, 55.0 + i, 13.0) for i in range(1, seconds + 1)],
    )


def storage_file(bag: Path) -> Path:
    if bag.is_file():
        return bag
    (file,) = (entry for entry in bag.iterdir() if entry.name != "metadata.yaml")
    return file


def is_part(part: list[Message], whole: list[Message]) -> bool:
    """Whether `part` is `whole` with some messages left out."""
    rest: Iterator[Message] = iter(whole)
    return all(message in rest for message in part)
