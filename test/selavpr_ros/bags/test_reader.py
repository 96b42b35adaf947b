"""BagReader on every container, against what was written and against rosbags' own reader."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.images import to_rgb
from test.bags_on_disk import (
    COMPRESSED_IMAGE,
    IMAGE,
    IMU,
    NAV_SAT_FIX,
    ODOMETRY,
    POSE_STAMPED,
    ROS2,
    Compression,
    Messages,
    Storage,
    write_bag,
    write_messages,
)
from test.selavpr_ros.bags.reading import SECOND, storage_file

CONTAINERS: list[tuple[Storage, Compression]] = [
    ("sqlite3", "none"),
    ("sqlite3", "file"),
    ("sqlite3", "message"),
    ("mcap", "none"),
    ("mcap", "file"),
    ("mcap", "message"),
    ("mcap", "storage"),
    ("ros1", "none"),
    ("ros1", "bz2"),
    ("ros1", "lz4"),
]
in_every_container = pytest.mark.parametrize(("storage", "compression"), CONTAINERS)

START = 1_700_000_000 * SECOND


def bag_path(folder: Path, storage: Storage) -> Path:
    return folder / ("bag.bag" if storage == "ros1" else "bag")


def same(one: Any, other: Any) -> bool:
    """Whether two messages have the same fields and values."""
    if hasattr(one, "__dataclass_fields__"):
        return list(one.__dataclass_fields__) == list(other.__dataclass_fields__) and all(
            same(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__
        )
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)


def assert_as_rosbags_reads(path: Path) -> None:
    with AnyReader([path], default_typestore=ROS2) as reader:
        topics = {name: (t.msgtype, t.msgcount) for name, t in reader.topics.items()}
        span = (reader.start_time, reader.end_time - 1)
        expected = [(c.topic, s, reader.deserialize(d, c.msgtype)) for c, s, d in reader.messages()]
    with BagReader(path) as reader:
        assert {name: (t.type, t.count) for name, t in reader.topics.items()} == topics
        assert (reader.start, reader.end) == span
        found = list(reader.messages(reader.topics))
        assert reader.warnings == []
    assert [stamp for _, stamp, _ in found] == sorted(stamp for _, stamp, _ in expected)
    assert len(found) == len(expected)
    for topic in topics:
        ours = [(s, m) for t, s, m in found if t == topic]
        theirs = [(s, m) for t, s, m in expected if t == topic]
        assert all(a[0] == b[0] and same(a[1], b[1]) for a, b in zip(ours, theirs, strict=True))


@in_every_container
def test_every_container(tmp_path: Path, storage: Storage, compression: Compression) -> None:
    rng = np.random.default_rng(0)
    images = [(START + i * SECOND, rng.integers(0, 256, (30, 40, 3), np.uint8)) for i in range(60)]
    path = write_bag(
        bag_path(tmp_path, storage),
        storage,
        images=images,
        fixes=[(START + i * SECOND // 2, 55.0 + i, 13.0, 40.0, None, -1) for i in range(100)],
        odometry=[(START + i * SECOND // 5, i, 2.0 * i, 0.5) for i in range(250)],
        poses=[(START + 7 * i, 1.0, 2.0, 3.0) for i in range(3)],
        imu=[(START + SECOND + i, 0.1 * i) for i in range(20)],
        compression=compression,
        bag_delay=1234,
    )
    with BagReader(path) as reader:
        assert {name: (t.name, t.type, t.count) for name, t in reader.topics.items()} == {
            "/camera/image_raw": ("/camera/image_raw", IMAGE, 60),
            "/fix": ("/fix", NAV_SAT_FIX, 100),
            "/odom": ("/odom", ODOMETRY, 250),
            "/pose": ("/pose", POSE_STAMPED, 3),
            "/imu": ("/imu", IMU, 20),
        }
        assert reader.start == START + 1234
        assert reader.end == START + 59 * SECOND + 1234
        found = list(reader.messages({"/camera/image_raw"}))
        assert [stamp for _, stamp, _ in found] == [stamp + 1234 for stamp, _ in images]
        assert [stamp_of(message, stamp) for _, stamp, message in found] == [s for s, _ in images]
        for (_, rgb), (topic, _, message) in zip(images, found, strict=True):
            assert topic == "/camera/image_raw"
            assert np.array_equal(to_rgb(message), rgb)
        # A second time, in another choice.
        both = list(reader.messages(["/pose", "/imu"]))
        assert [topic for topic, _, _ in both] == ["/pose"] * 3 + ["/imu"] * 20
        assert both[0][2].pose.position.y == 2.0
    assert_as_rosbags_reads(path)


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
def test_compressed_images(tmp_path: Path, storage: Storage, image_format: Any) -> None:
    rgb = np.full((48, 64, 3), (200, 90, 20), np.uint8)
    path = write_bag(
        bag_path(tmp_path, storage), storage, images=[(START, rgb)], image_format=image_format
    )
    with BagReader(path) as reader:
        assert reader.topics["/camera/image_raw/compressed"].type == COMPRESSED_IMAGE
        ((_, _, message),) = reader.messages(reader.topics)
    assert np.abs(to_rgb(message).astype(int) - rgb).max() <= 2


@in_every_container
def test_messages_come_in_order_of_bag_time(
    tmp_path: Path, storage: Storage, compression: Compression
) -> None:
    make = Messages(ros1=storage == "ros1")
    rng = np.random.default_rng(0)
    padding = "x" * 3000  # so that the messages fill several chunks
    stamps = [int(s) for s in rng.permutation(1000)]
    rows = [
        (START + stamp, f"/fix_{i % 3}", NAV_SAT_FIX, make.fix(i, 0.0, 0.0, frame_id=padding))
        for i, stamp in enumerate(stamps)
    ]
    write_messages(bag_path(tmp_path, storage), rows, storage, compression)
    with BagReader(bag_path(tmp_path, storage)) as reader:
        found = [(stamp, m.header.stamp.nanosec) for _, stamp, m in reader.messages(reader.topics)]
        some = [(stamp, m.header.stamp.nanosec) for _, stamp, m in reader.messages({"/fix_1"})]
        assert reader.warnings == []
    assert found == sorted((START + stamp, i) for i, stamp in enumerate(stamps))
    assert some == [(stamp, i) for stamp, i in found if i % 3 == 1]


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
def test_messages_of_one_stamp_keep_their_order(tmp_path: Path, storage: Storage) -> None:
    make = Messages(ros1=storage == "ros1")
    rows = [(START, "/fix", NAV_SAT_FIX, make.fix(i, 0.0, 0.0)) for i in range(300)]
    write_messages(bag_path(tmp_path, storage), rows, storage)
    with BagReader(bag_path(tmp_path, storage)) as reader:
        order = [message.header.stamp.nanosec for _, _, message in reader.messages({"/fix"})]
    assert order == list(range(300))


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
def test_topics_that_are_not_there_give_nothing(tmp_path: Path, storage: Storage) -> None:
    path = write_bag(bag_path(tmp_path, storage), storage, fixes=[(START, 55.0, 13.0)])
    with BagReader(path) as reader:
        assert list(reader.messages({"/nothing"})) == []
        assert list(reader.messages(())) == []
        assert len(list(reader.messages({"/nothing", "/fix"}))) == 1
        assert reader.warnings == []


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
def test_a_bag_without_messages(tmp_path: Path, storage: Storage) -> None:
    path = write_bag(bag_path(tmp_path, storage), storage)
    with BagReader(path) as reader:
        assert (reader.topics, reader.start, reader.end) == ({}, 0, 0)
        assert reader.warnings == []


def write_raw(path: Path, storage: Storage, rows: list[tuple[int, str, str, bytes]]) -> None:
    """Messages of known types with any bytes for data."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    with Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()]) as writer:
        connections: dict[str, Any] = {}
        for stamp, topic, type_name, data in rows:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, type_name, typestore=ROS2)
            writer.write(connections[topic], stamp, data)


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_messages_that_cannot_be_decoded_are_counted_and_left_out(
    tmp_path: Path, storage: Storage
) -> None:
    whole = bytes(ROS2.serialize_cdr(Messages().fix(1, 55.0, 13.0), NAV_SAT_FIX))
    rows = [(i, "/fix", NAV_SAT_FIX, whole if i % 3 else whole[:20]) for i in range(9)]
    rows += [(20, "/imu", IMU, b"")]
    write_raw(tmp_path / "bag", storage, rows)
    with BagReader(tmp_path / "bag") as reader:
        for _ in range(2):  # the count is of one reading
            assert [stamp for _, stamp, _ in reader.messages({"/fix"})] == [1, 2, 4, 5, 7, 8]
            (warning,) = reader.warnings
            assert warning.startswith("/fix: 3 messages could not be decoded and were left out (")
        assert list(reader.messages({"/imu"})) == []
        assert reader.warnings[1].startswith("/imu: 1 message could not be decoded and was left")


def test_a_topic_of_two_types(tmp_path: Path) -> None:
    """Publishers may disagree; each message is decoded by its own type."""
    make = Messages(ros1=True)
    from rosbags.rosbag1 import Writer

    from test.bags_on_disk import ROS1

    with Writer(tmp_path / "a.bag") as writer:
        for i, (type_name, message) in enumerate(
            [
                (IMU, make.imu(1, 0.0)),
                (NAV_SAT_FIX, make.fix(2, 55.0, 13.0)),
                (NAV_SAT_FIX, make.fix(3, 56.0, 13.0)),
            ]
        ):
            connection = writer.add_connection(
                "/topic", type_name, typestore=ROS1, callerid=f"/node_{i}"
            )
            writer.write(connection, i, ROS1.serialize_ros1(message, type_name))
    with BagReader(tmp_path / "a.bag") as reader:
        assert reader.topics["/topic"].type == NAV_SAT_FIX
        assert reader.topics["/topic"].count == 3
        messages = [message for _, _, message in reader.messages({"/topic"})]
    assert [hasattr(message, "latitude") for message in messages] == [False, True, True]


@in_every_container
def test_memory_does_not_grow_with_the_bag(
    tmp_path: Path, storage: Storage, compression: Compression
) -> None:
    rng = np.random.default_rng(0)

    def peak(name: str, count: int) -> int:
        folder = tmp_path / name
        folder.mkdir()
        path = write_bag(
            bag_path(folder, storage),
            storage,
            images=[(i, rng.integers(0, 256, (100, 200, 3), np.uint8)) for i in range(count)],
            fixes=[(i, 55.0, 13.0) for i in range(count)],
            compression=compression,
        )
        read_all(path)  # types are compiled once
        gc.collect()
        tracemalloc.start()
        read_all(path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    def read_all(path: Path) -> None:
        with BagReader(path) as reader:
            assert sum(1 for _ in reader.messages(reader.topics)) == sum(
                topic.count for topic in reader.topics.values()
            )

    short, long = peak("short", 60), peak("long", 240)
    assert long < short + 500_000  # the long bag has 11 MB more of images
    assert long < 12_000_000


@pytest.mark.parametrize("storage", ["sqlite3", "mcap", "ros1"])
def test_messages_may_be_read_in_another_thread(tmp_path: Path, storage: Storage) -> None:
    path = bag_path(tmp_path, storage)
    write_bag(path, storage, fixes=[(i, 55.0, 13.0) for i in range(100)])
    with BagReader(path) as reader:
        reading = reader.messages({"/fix"})
        next(reading)
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(reading))
        thread.start()
        thread.join()
    assert len(found) == 99


def test_two_readings_at_once(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", "mcap", fixes=[(i, 55.0 + i, 13.0) for i in range(100)])
    with BagReader(path) as reader:
        pairs = list(zip(reader.messages({"/fix"}), reader.messages({"/fix"}), strict=True))
    assert len(pairs) == 100
    assert all(same(a[2], b[2]) for a, b in pairs)


def test_a_disk_that_fails_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selavpr_ros.bags.mcap import McapFile

    path = write_bag(tmp_path / "bag", "mcap", fixes=[(1, 55.0, 13.0)])

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with BagReader(path) as reader:
        monkeypatch.setattr(McapFile, "_read_chunk", fail)
        assert list(reader.messages({"/fix"})) == []
        assert "bag.mcap: reading it broke off (Input/output error)" in reader.warnings[0]


def test_a_closed_reader_does_not_look_like_an_empty_bag(tmp_path: Path) -> None:
    with BagReader(write_bag(tmp_path / "bag", fixes=[(1, 55.0, 13.0)])) as reader:
        pass
    with pytest.raises(ValueError, match="closed"):
        next(reader.messages({"/fix"}))


def test_stamp_of() -> None:
    def stamped(sec: int, nanosec: int) -> SimpleNamespace:
        stamp = SimpleNamespace(sec=sec, nanosec=nanosec)
        return SimpleNamespace(header=SimpleNamespace(stamp=stamp))

    assert stamp_of(stamped(5, 7), 99) == 5_000_000_007
    assert stamp_of(stamped(0, 7), 99) == 7
    assert stamp_of(stamped(0, 0), 99) == 99
    assert stamp_of(SimpleNamespace(data="x"), 99) == 99
    assert isinstance(stamp_of(stamped(np.int32(2_000_000_000), np.uint32(1)), 0), int)  # type: ignore[arg-type]
    assert stamp_of(stamped(np.int32(2_000_000_000), 1), 0) == 2_000_000_000_000_000_001  # type: ignore[arg-type]


def test_no_ros_is_imported() -> None:
    code = (
        "import sys; sys.modules['rclpy'] = None; "
        "import selavpr_ros.bags, selavpr_ros.images; "
        "assert not {'rclpy', 'sensor_msgs', 'cv_bridge', 'torch'} & "
        "{name for name, module in sys.modules.items() if module is not None}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- recorded bags -------------------------------------------------------------------------------

T265 = {
    "/camera/accel/sample": 6,
    "/camera/fisheye1/image_raw": 3,
    "/camera/fisheye2/image_raw": 3,
    "/camera/gyro/sample": 19,
    "/camera/odom/sample": 19,
}
RECORDED = {
    "lund_all": {"/camera/image/compressed": 29, "/fix": 29},
    "lund_map_even": {"/camera/image/compressed": 15, "/fix": 15},
    "lund_query_odd": {"/camera/image/compressed": 14, "/fix": 14},
    "toshiki_loop": {"/camera/image/compressed": 72, "/odom": 72},
    "husky_navsat_mcap": {"/fix": 989, "/husky_velocity_controller/odom": 3952, "/imu/data": 11865},
    "t265_db3": T265,
    "t265_mcap": T265,
    "trimmed_locoffice.bag": T265,
}


@pytest.mark.shared
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_bags(shared: Path, name: str) -> None:
    path = shared / "data" / "bags" / name
    with BagReader(path) as reader:
        assert {topic.name: topic.count for topic in reader.topics.values()} == RECORDED[name]
        found = [topic for topic, _, _ in reader.messages(reader.topics)]
        assert {topic: found.count(topic) for topic in set(found)} == RECORDED[name]
    assert_as_rosbags_reads(path)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "size"), [("lund_all", (768, 1024)), ("toshiki_loop", (240, 426))]
)
def test_pictures_of_recorded_bags(shared: Path, name: str, size: tuple[int, int]) -> None:
    with BagReader(shared / "data" / "bags" / name) as reader:
        for _, _, message in reader.messages({"/camera/image/compressed"}):
            rgb = to_rgb(message)
            assert rgb.shape == (*size, 3)
            assert rgb.std() > 10
            if name == "toshiki_loop":  # grey
                assert np.array_equal(rgb[:, :, 0], rgb[:, :, 2])


@pytest.mark.shared
def test_one_recording_in_three_containers_has_the_same_pixels(shared: Path) -> None:
    recordings = []
    for name in ("t265_db3", "t265_mcap", "trimmed_locoffice.bag"):
        with BagReader(shared / "data" / "bags" / name) as reader:
            topics = [name for name, topic in reader.topics.items() if topic.type == IMAGE]
            recordings.append(
                [
                    (topic, stamp, stamp_of(message, stamp), to_rgb(message))
                    for topic, stamp, message in reader.messages(topics)
                ]
            )
            assert reader.warnings == []
    first = recordings[0]
    assert len(first) == 6
    assert all(rgb.shape == (800, 848, 3) for *_, rgb in first)
    for other in recordings[1:]:
        assert [row[:3] for row in other] == [row[:3] for row in first]
        assert all(np.array_equal(a[3], b[3]) for a, b in zip(first, other, strict=True))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["t265_db3", "t265_mcap", "trimmed_locoffice.bag", "lund_all"])
def test_recorded_bags_cut_in_the_middle(shared: Path, tmp_path: Path, name: str) -> None:
    bag = shared / "data" / "bags" / name
    file = storage_file(bag)
    whole_stamps = _stamps(bag)
    data = file.read_bytes()
    cut = tmp_path / file.name
    cut.write_bytes(data[: len(data) * 2 // 3])
    stamps = _stamps(cut)
    assert len(whole_stamps) // 4 < len(stamps) < len(whole_stamps)
    assert set(stamps) <= set(whole_stamps)
    with BagReader(cut) as reader:
        assert "cut short" in reader.warnings[0]


def _stamps(path: Path) -> list[tuple[str, int]]:
    with BagReader(path) as reader:
        return [(topic, stamp) for topic, stamp, _ in reader.messages(reader.topics)]
