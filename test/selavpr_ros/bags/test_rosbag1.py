from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selavpr_ros.bags import BagReader
from selavpr_ros.bags.rosbag1 import Rosbag1File
from selavpr_ros.bags.storage import DamagedError
from test.bags_on_disk import IMAGE, NAV_SAT_FIX, Compression, Messages, write_bag, write_messages
from test.selavpr_ros.bags.reading import Message, drive, read, read_damaged

KINDS = pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])


def fixes(path: Path, stamps: list[int]) -> Path:
    make = Messages(ros1=True)
    rows = [
        (stamp, f"/fix_{i % 2}", NAV_SAT_FIX, make.fix(stamp, float(i), 13.0))
        for i, stamp in enumerate(stamps)
    ]
    write_messages(path, rows, "ros1")
    return path


def records(data: bytes) -> list[tuple[int, int, int, int]]:
    """(offset, opcode, offset of its data, size of its data) of the records of a bag."""
    found, position = [], 13
    while position + 8 <= len(data):
        (head,) = struct.unpack_from("<I", data, position)
        fields = data[position + 4 : position + 4 + head]
        opcode = fields[fields.index(b"op=") + 3]
        (size,) = struct.unpack_from("<I", data, position + 4 + head)
        found.append((position, opcode, position + 8 + head, size))
        position += 8 + head + size
    return found


def unclosed(data: bytes, keep: int) -> bytes:
    """What a killed recorder leaves: no index, and the last chunk without its sizes.

    It is written as the chunk grows; `keep` chunks are kept, the last one as the unfinished one.
    """
    chunks = [record for record in records(data) if record[1] == 5]
    offset, _, start, size = chunks[keep - 1]
    left = bytearray(data[: start + size])
    struct.pack_into("<Q", left, left.index(b"index_pos=") + 10, 0)
    struct.pack_into("<I", left, left.index(b"size=", offset) + 5, 0)
    struct.pack_into("<I", left, start - 4, 0)
    return bytes(left)


def test_types_are_spelled_as_in_ros_2(tmp_path: Path) -> None:
    with BagReader(drive(tmp_path / "a.bag", "ros1")) as reader:
        assert {topic.type for topic in reader.topics.values()} == {IMAGE, NAV_SAT_FIX}


def test_messages_come_in_order_of_bag_time(tmp_path: Path) -> None:
    stamps = [(i * 7919) % 5000 for i in range(5000)]
    result = read(fixes(tmp_path / "a.bag", stamps))
    assert [stamp for _, stamp, _ in result.messages] == sorted(stamps)
    assert [latitude for _, _, (_, latitude) in result.messages] == sorted(
        range(5000), key=lambda i: stamps[i]
    )
    assert result.warnings == []


@KINDS
@pytest.mark.parametrize("keep", [1, 2])
def test_a_recorder_that_was_killed(tmp_path: Path, compression: Compression, keep: int) -> None:
    bag = drive(tmp_path / "a.bag", "ros1", compression)
    whole = read(bag).messages
    left = tmp_path / "left.bag"
    left.write_bytes(unclosed(bag.read_bytes(), keep))
    result = read(left)
    assert result.messages == whole[: len(result.messages)]
    assert len(result.messages) >= 25 * keep
    assert len(result.warnings) == 1
    assert "left.bag was cut short or never closed" in result.warnings[0]
    # And killed while it wrote.
    left.write_bytes(left.read_bytes()[:-40_000])
    result = read(left)
    assert result.messages == whole[: len(result.messages)]
    assert len(result.messages) >= 25 * (keep - 1)
    assert sum(result.counts.values()) == len(result.messages)


@pytest.fixture(scope="module", params=["none", "bz2", "lz4"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, bytes, list[Message]]:
    """Compression, bytes and messages of a bag of three chunks."""
    bag = drive(tmp_path_factory.mktemp("recorded") / "a.bag", "ros1", request.param)
    return request.param, bag.read_bytes(), read(bag).messages


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0, 1, exclude_max=True))
def test_cut_anywhere(
    tmp_path: Path, recorded: tuple[str, bytes, list[Message]], part: float
) -> None:
    compression, data, whole = recorded
    cut = tmp_path / "cut.bag"
    cut.write_bytes(data[: int(part * len(data))])
    block = 1_000_000 if compression == "bz2" else 100_000  # lost whole where it is cut
    result = read_damaged(cut)
    if result is None:
        assert part * len(data) < block
        return
    assert result.messages == whole[: len(result.messages)]
    assert sum(result.counts.values()) == len(result.messages)
    assert len(result.warnings) == 1
    assert f"{len(result.messages)} messages over" in result.warnings[0]
    assert len(result.messages) > (part - block / len(data)) * len(whole) - 8


def test_all_lengths_of_a_small_bag(tmp_path: Path) -> None:
    bag = fixes(tmp_path / "a.bag", [1, 2, 3])
    data = bag.read_bytes()
    whole = read(bag).messages
    numbers = set()
    for length in [*range(30), *range(4090, len(data), 5)]:
        cut = tmp_path / "cut.bag"
        cut.write_bytes(data[:length])
        result = read_damaged(cut)
        numbers.add(None if result is None else len(result.messages))
        if result is not None:
            assert result.messages == whole[: len(result.messages)]
    assert numbers == {None, 0, 1, 2, 3}


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    bag = drive(tmp_path / "a.bag", "ros1", "bz2")
    whole = read(bag).messages
    data = bytearray(bag.read_bytes())
    chunk = next(record for record in records(bytes(data)) if record[1] == 5)
    data[chunk[2] + 1000] ^= 0xFF
    bag.write_bytes(data)
    result = read(bag)
    assert result.messages == whole[-len(result.messages) :]
    assert result.warnings[0].startswith(f"a.bag: the chunk at byte {chunk[0]} is damaged")
    assert any(warning.startswith("/fix: only") for warning in result.warnings)


def test_an_index_that_points_nowhere_is_gone_without(tmp_path: Path) -> None:
    bag = fixes(tmp_path / "a.bag", list(range(100)))
    data = bytearray(bag.read_bytes())
    at = data.index(b"index_pos=") + 10
    (index,) = struct.unpack_from("<Q", data, at)
    for position in (5000, index + 1, len(data) - 3, len(data) + 5, 1 << 60):
        struct.pack_into("<Q", data, at, position)
        bag.write_bytes(data)
        result = read(bag)
        assert len(result.messages) == 100
        assert "cut short or never closed: 100 messages" in result.warnings[0]


def test_a_bag_without_messages(tmp_path: Path) -> None:
    write_bag(tmp_path / "a.bag", "ros1")
    with BagReader(tmp_path / "a.bag") as reader:
        assert (reader.topics, reader.start, reader.end) == ({}, 0, 0)
        assert list(reader.messages({"/fix"})) == []
        assert reader.warnings == []


def test_other_versions_are_named(tmp_path: Path) -> None:
    bag = tmp_path / "a.bag"
    bag.write_bytes(b"#ROSBAG V1.2\nsomething")
    with pytest.raises(DamagedError, match="rosbag fix"):
        Rosbag1File(bag)
    bag.write_bytes(b"something else")
    with pytest.raises(DamagedError, match="does not begin"):
        Rosbag1File(bag)
