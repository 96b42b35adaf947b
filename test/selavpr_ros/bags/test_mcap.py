from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, IndexType, Writer

from selavpr_ros.bags import BagReader
from selavpr_ros.bags.mcap import McapFile
from selavpr_ros.bags.storage import DamagedError
from test.bags_on_disk import NAV_SAT_FIX, ROS1, ROS2, Compression, Messages
from test.selavpr_ros.bags.reading import drive, read, read_damaged, storage_file

DEFINITION = ROS2.generate_msgdef(NAV_SAT_FIX, ros_version=2)[0].encode()


def write_mcap(path: Path, stamps: list[int], **options: Any) -> Path:
    """Fixes written by the format's own library; latitude counts them."""
    writer = Writer(str(path), **options)
    writer.start(profile="ros2")
    schema = writer.register_schema(NAV_SAT_FIX, "ros2msg", DEFINITION)
    channels = [writer.register_channel(f"/fix_{i}", "cdr", schema) for i in range(2)]
    for i, stamp in enumerate(stamps):
        message = Messages().fix(stamp, float(i), 13.0)
        data = bytes(ROS2.serialize_cdr(message, NAV_SAT_FIX))
        writer.add_message(channels[i % 2], stamp, data, stamp)
    writer.finish()
    return path


def latitudes(path: Path) -> list[float]:
    return [latitude for _, _, (_, latitude) in read(path).messages]


VARIANTS: dict[str, dict[str, Any]] = {
    "zstd": {"compression": CompressionType.ZSTD},
    "lz4": {"compression": CompressionType.LZ4},
    "plain": {"compression": CompressionType.NONE},
    "no chunks": {"use_chunking": False},
    "no statistics": {"use_statistics": False},
    "no index of chunks": {"index_types": IndexType.NONE},
    "no index of messages": {"index_types": IndexType.CHUNK},
    "no repeated channels": {"repeat_channels": False, "repeat_schemas": False},
    "no checksums": {"enable_crcs": False},
    "no summary": {
        "index_types": IndexType.NONE,
        "use_statistics": False,
        "use_summary_offsets": False,
        "repeat_channels": False,
        "repeat_schemas": False,
    },
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
def test_what_writers_may_leave_off(tmp_path: Path, options: dict[str, Any]) -> None:
    stamps = list(range(1000, 1400))
    path = write_mcap(tmp_path / "a.mcap", stamps, chunk_size=4096, **options)
    result = read(path)
    assert [latitude for _, _, (_, latitude) in result.messages] == list(range(400))
    assert [stamp for _, stamp, _ in result.messages] == stamps
    assert result.counts == {"/fix_0": 200, "/fix_1": 200}
    assert result.warnings == []
    with BagReader(path) as reader:
        assert (reader.start, reader.end) == (1000, 1399)
        assert [stamp for _, stamp, _ in reader.messages({"/fix_1"})] == stamps[1::2]


@pytest.mark.parametrize("options", [{}, {"use_chunking": False}], ids=["chunks", "no chunks"])
def test_messages_come_in_order_of_bag_time(tmp_path: Path, options: dict[str, Any]) -> None:
    """Recorders write what they got late, and clocks are set back."""
    stamps = [(i * 7919) % 500 for i in range(500)]
    path = write_mcap(tmp_path / "a.mcap", stamps, chunk_size=2048, **options)
    result = read(path)
    assert [stamp for _, stamp, _ in result.messages] == sorted(stamps)
    assert [latitude for _, _, (_, latitude) in result.messages] == sorted(
        range(500), key=lambda i: stamps[i]
    )


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0, 1, exclude_max=True))
def test_cut_anywhere(tmp_path: Path, options: dict[str, Any], part: float) -> None:
    whole = tmp_path / "whole.mcap"
    if not whole.exists():
        write_mcap(whole, list(range(400)), chunk_size=4096, **options)
    data = whole.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(data[: int(part * len(data))])
    result = read_damaged(cut)
    if result is None:
        return
    assert result.messages == read(whole).messages[: len(result.messages)]
    assert sum(result.counts.values()) == len(result.messages)
    assert len(result.warnings) == 1
    assert "cut.mcap was cut short or never closed" in result.warnings[0]
    assert f"{len(result.messages)} messages over" in result.warnings[0]


@pytest.mark.parametrize("compression", ["none", "storage", "message"])
def test_a_cut_recording_loses_little(tmp_path: Path, compression: Compression) -> None:
    bag = drive(tmp_path / "bag", "mcap", compression)
    data = storage_file(bag).read_bytes()
    whole = read(bag).messages
    cut = tmp_path / "cut.mcap"
    for part in (0.1, 0.35, 0.5, 0.75, 0.9):
        cut.write_bytes(data[: int(part * len(data))])
        result = read_damaged(cut)
        assert result is not None
        assert result.messages == whole[: len(result.messages)]
        # At most an image and a block of the compression before the cut.
        assert len(result.messages) > part * len(whole) - 8


def test_all_lengths_of_a_small_file(tmp_path: Path) -> None:
    data = write_mcap(tmp_path / "a.mcap", [1, 2, 3], enable_crcs=False).read_bytes()
    lengths = set()
    for length in range(0, len(data), 5):
        cut = tmp_path / "cut.mcap"
        cut.write_bytes(data[:length])
        result = read_damaged(cut)
        lengths.add(None if result is None else len(result.messages))
    assert lengths == {None, 3}  # one compressed block holds channels and messages


def test_a_disk_that_fills_up_with_zeros(tmp_path: Path) -> None:
    data = write_mcap(tmp_path / "a.mcap", list(range(400)), chunk_size=4096).read_bytes()
    path = tmp_path / "zeros.mcap"
    path.write_bytes(data[: len(data) // 2] + bytes(5000))
    result = read(path)
    assert 150 < len(result.messages) < 250
    assert "cut short" in result.warnings[-1]


def chunk_offsets(data: bytes) -> list[int]:
    """Where chunks begin, found by stepping over the records."""
    offsets, position = [], 8
    while position + 9 < len(data):
        opcode, length = struct.unpack_from("<BQ", data, position)
        if opcode == 6:
            offsets.append(position)
        position += 9 + length
    return offsets


@pytest.mark.parametrize("with_index", [True, False])
def test_a_damaged_chunk_is_left_out(tmp_path: Path, with_index: bool) -> None:
    path = write_mcap(tmp_path / "a.mcap", list(range(400)), chunk_size=4096)
    data = bytearray(path.read_bytes())
    offsets = chunk_offsets(bytes(data))
    data[offsets[3] + 100] ^= 0xFF
    if not with_index:
        del data[-500:]
    path.write_bytes(data)
    result = read(path)
    found = [latitude for _, _, (_, latitude) in result.messages]
    missing = sorted(set(range(400)) - set(found))
    assert missing == list(range(missing[0], missing[-1] + 1))
    assert 0 < len(missing) < 100
    assert f"a.mcap: the chunk at byte {offsets[3]} is damaged" in " ".join(result.warnings)
    if with_index:  # which knows how many there were
        assert any(w.startswith("/fix_0: only") for w in result.warnings)


def test_a_wrong_checksum_is_damage(tmp_path: Path) -> None:
    path = write_mcap(
        tmp_path / "a.mcap", list(range(400)), chunk_size=4096, compression=CompressionType.NONE
    )
    data = bytearray(path.read_bytes())
    data[chunk_offsets(bytes(data))[-1] + 2000] ^= 1
    path.write_bytes(data)
    assert any("is damaged" in warning for warning in read(path).warnings)


def test_a_damaged_index_is_gone_without(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", list(range(400)), chunk_size=4096)
    data = bytearray(path.read_bytes())
    data[-300] ^= 0xFF  # in the summary, whose checksum then is wrong
    path.write_bytes(data)
    result = read(path)
    assert [latitude for _, _, (_, latitude) in result.messages] == list(range(400))
    assert result.warnings[0].startswith("the index of a.mcap is damaged: 400 messages over")


def test_lengths_that_are_wrong_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", list(range(400)), chunk_size=4096)
    data = bytearray(path.read_bytes()[:-200])
    offset = chunk_offsets(bytes(data))[2]
    for length in (0, 1, 39, 1 << 33, (1 << 64) - 1):
        struct.pack_into("<Q", data, offset + 1, length)
        path.write_bytes(data)
        result = read(path)
        assert 0 < len(result.messages) < 200
        assert "cut short" in " ".join(result.warnings)


def test_messages_of_ros_1_in_mcap(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = Writer(str(path))
    writer.start(profile="ros1")
    definition, _ = ROS1.generate_msgdef(NAV_SAT_FIX)
    schema = writer.register_schema("sensor_msgs/NavSatFix", "ros1msg", definition.encode())
    channel = writer.register_channel("/fix", "ros1", schema)
    message = Messages(ros1=True).fix(7 * 10**9, 55.5, 13.0)
    writer.add_message(channel, 5, bytes(ROS1.serialize_ros1(message, NAV_SAT_FIX)), 5)
    writer.finish()
    with BagReader(path) as reader:
        assert reader.topics["/fix"].type == NAV_SAT_FIX
        ((_, stamp, read_message),) = reader.messages({"/fix"})
    assert (stamp, read_message.latitude, read_message.header.stamp.sec) == (5, 55.5, 7)


def test_channels_of_other_worlds_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = Writer(str(path))
    writer.start(profile="")
    fix = writer.register_schema(NAV_SAT_FIX, "ros2msg", DEFINITION)
    protobuf = writer.register_schema("foxglove.LocationFix", "protobuf", b"\xff\xfe\x00binary")
    channels = {
        "/fix": writer.register_channel("/fix", "cdr", fix),
        "/proto": writer.register_channel("/proto", "protobuf", protobuf),
        "/json": writer.register_channel("/json", "json", 0),
    }
    data = bytes(ROS2.serialize_cdr(Messages().fix(1, 55.5, 13.0), NAV_SAT_FIX))
    writer.add_message(channels["/proto"], 1, b"\x08\x01", 1)
    writer.add_message(channels["/json"], 2, b"{}", 2)
    writer.add_message(channels["/fix"], 3, data, 3)
    writer.finish()
    with BagReader(path) as reader:
        assert {t.name: t.type for t in reader.topics.values()} == {
            "/fix": NAV_SAT_FIX,
            "/proto": "foxglove.LocationFix",
            "/json": "",
        }
        assert [m.latitude for _, _, m in reader.messages({"/fix"})] == [55.5]
        assert reader.warnings == []
        assert list(reader.messages({"/proto", "/json"})) == []
        assert len(reader.warnings) == 2
        assert "/proto: 1 message could not be decoded" in " ".join(reader.warnings)
        assert "'protobuf'" in " ".join(reader.warnings)


def test_what_is_no_mcap_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"text")
    with pytest.raises(DamagedError):
        McapFile(path)
