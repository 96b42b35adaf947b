from __future__ import annotations

import bz2
import functools
from collections.abc import Callable, Iterator

import lz4.frame
import numpy as np
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_ros.bags.storage import DamagedError, decompressed, in_time_order, ros2_type

sorted_stamps = st.lists(st.integers(0, 30), max_size=8).map(sorted)


@given(st.lists(sorted_stamps, max_size=6), st.integers(0, 3))
def test_in_time_order_merges_like_a_stable_sort(sources: list[list[int]], early: int) -> None:
    items = [[(stamp, number) for stamp in stamps] for number, stamps in enumerate(sources)]
    # A source may say that it starts earlier than it does.
    offered = [
        (stamps[0][0] - early if stamps else 5, lambda s=stamps: iter(s)) for stamps in items
    ]
    merged = list(in_time_order(offered))
    assert merged == sorted((item for stamps in items for item in stamps), key=lambda i: i[0])


def test_only_sources_that_overlap_are_open_together() -> None:
    open_now: set[int] = set()
    most = 0

    def source(number: int) -> Callable[[], Iterator[tuple[int, int]]]:
        def items() -> Iterator[tuple[int, int]]:
            nonlocal most
            open_now.add(number)
            most = max(most, len(open_now))
            for i in range(15):  # reaches half into the next source
                yield number * 10 + i, number
            open_now.remove(number)

        return items

    stamps = [stamp for stamp, _ in in_time_order((10 * i, source(i)) for i in range(20))]
    assert stamps == sorted(stamps)
    assert len(stamps) == 300
    assert most <= 3


def test_sources_are_closed_when_reading_stops() -> None:
    closed = []

    def source() -> Iterator[tuple[int]]:
        try:
            for i in range(10):
                yield (i,)
        finally:
            closed.append(True)

    reading = in_time_order([(0, source), (1, source)])
    assert [next(reading) for _ in range(4)] == [(0,), (0,), (1,), (1,)]
    reading.close()  # type: ignore[attr-defined]
    assert closed == [True, True]


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "none": bytes,
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
    "bz2": bz2.compress,
}


@functools.cache
def data(size: int = 1_500_000) -> bytes:
    return np.random.default_rng(0).integers(0, 40, size, dtype=np.uint8).tobytes()


@functools.cache
def packed_data(kind: str) -> bytes:
    return COMPRESSORS[kind](data())


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_decompressed_gives_all_of_a_whole_chunk(kind: str) -> None:
    packed = packed_data(kind)
    assert decompressed(kind, packed, len(data())) == data()
    assert decompressed(kind, packed, None) == data()  # the size is not known
    assert decompressed(kind, packed, 1000) == data()[:1000]  # a wrong size sets a bound
    assert decompressed(kind, b"", 1000) == b""


@pytest.mark.parametrize("kind", ["zstd", "lz4", "bz2"])
def test_decompressed_joins_frames(kind: str) -> None:
    packed = COMPRESSORS[kind](b"one ") + COMPRESSORS[kind](b"two")
    assert decompressed(kind, packed, 7) == b"one two"


@pytest.mark.parametrize("kind", COMPRESSORS)
@settings(max_examples=10, deadline=None)
@given(part=st.floats(0, 1))
def test_decompressed_gives_what_stands_before_a_cut(kind: str, part: float) -> None:
    packed = packed_data(kind)
    cut = packed[: int(part * len(packed))]
    result = decompressed(kind, cut, len(data()))
    assert data().startswith(result)
    # Blocks are lost whole: at most 900 kB (bz2) at the end.
    assert len(result) >= part * len(data()) - 1_000_000


def test_decompressed_gives_what_stands_before_damage() -> None:
    packed = bytearray(bz2.compress(data(3_000_000)))
    packed[len(packed) // 2] ^= 0xFF
    result = decompressed("bz2", bytes(packed), 3_000_000)
    assert len(result) > 500_000
    assert data(3_000_000).startswith(result)


@pytest.mark.parametrize("kind", ["zstd", "lz4", "bz2"])
def test_garbage_decompresses_to_nothing(kind: str) -> None:
    assert decompressed(kind, b"this is no compressed chunk", 100) == b""


def test_an_unknown_compression_is_damage() -> None:
    with pytest.raises(DamagedError, match="'brotli'"):
        decompressed("brotli", b"x", 1)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("sensor_msgs/Image", "sensor_msgs/msg/Image"),
        ("sensor_msgs/msg/Image", "sensor_msgs/msg/Image"),
        ("foxglove.RawImage", "foxglove.RawImage"),
        ("", ""),
    ],
)
def test_ros2_type(name: str, spelled: str) -> None:
    assert ros2_type(name) == spelled
