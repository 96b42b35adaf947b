"""Bytes changed anywhere: a bag is read as far as it goes, or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selavpr_ros.bags import BagReader
from selavpr_ros.errors import BagError
from test.bags_on_disk import Compression, Storage, write_bag
from test.selavpr_ros.bags.reading import SECOND, storage_file
from test.selavpr_ros.bags.test_reader import CONTAINERS


class Recorded(NamedTuple):
    """Name and bytes of a storage file that is mostly structure and little content."""

    name: str
    data: bytes

    def __repr__(self) -> str:
        return self.name


@pytest.fixture(scope="module", params=CONTAINERS, ids=lambda container: "-".join(container))
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    storage: Storage
    compression: Compression
    storage, compression = request.param
    path = tmp_path_factory.mktemp("recorded") / ("a.bag" if storage == "ros1" else "a")
    write_bag(
        path,
        storage,
        images=[(i * SECOND, np.full((2, 3, 3), i, np.uint8)) for i in range(30)],
        fixes=[(i * SECOND, 55.0, 13.0) for i in range(30)],
        compression=compression,
    )
    file = storage_file(path)
    return Recorded(file.name, file.read_bytes())


def read_or_refuse(path: Path) -> None:
    """Read all of a bag, unless it is refused; nothing else may come out of it."""
    try:
        with BagReader(path) as reader:
            for _ in reader.messages(reader.topics):
                pass
            lines = reader.warnings
    except BagError as error:
        lines = [str(error)]
    assert all(line and "\n" not in line for line in lines)


damage = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=20
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=damage, at_the_front=st.booleans())
def test_changed_bytes(
    tmp_path: Path, recorded: Recorded, changes: list[tuple[float, int]], at_the_front: bool
) -> None:
    name, data = recorded
    changed = bytearray(data)
    # Most of what leads to the messages stands at the front.
    room = min(len(data), 6000) if at_the_front else len(data)
    for part, bits in changes:
        changed[int(part * room)] ^= bits
    (tmp_path / name).write_bytes(changed)
    read_or_refuse(tmp_path / name)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0, 1), size=st.integers(1, 20_000), seed=st.none() | st.integers(0, 5))
def test_overwritten_blocks(
    tmp_path: Path, recorded: Recorded, part: float, size: int, seed: int | None
) -> None:
    """Zeros, as a crashed file system leaves them, or something else's data."""
    name, data = recorded
    start = int(part * len(data))
    block = bytes(size) if seed is None else np.random.default_rng(seed).bytes(size)
    (tmp_path / name).write_bytes(data[:start] + block + data[start + size :])
    read_or_refuse(tmp_path / name)
