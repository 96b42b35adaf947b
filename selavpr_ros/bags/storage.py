"""What the containers have in common: channels, chunks, compression, and merging by time."""

from __future__ import annotations

import bz2
import heapq
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

# Messages outside of chunks are read in runs of about this many bytes.
RUN_BYTES = 1 << 20

# More than any writer puts into one chunk; the size of an unfinished chunk is not written down.
_UNFINISHED_CHUNK_LIMIT = 1 << 28
# Output of a decompressor that fails is lost for the piece it fails at.
_SMALL_PIECE = 4096
_DECOMPRESSION_ERRORS = (zstd.ZstdError, RuntimeError, OSError, EOFError, ValueError)


class Channel(NamedTuple):
    """One stream of messages of one type within one file."""

    topic: str
    type: str  # ROS 2 spelling
    encoding: str  # of its messages: "cdr", "ros1", ...
    schema: str  # of its definition: "ros2msg", "ros2idl", "ros1msg" or "" for none
    definition: str


class Raw(NamedTuple):
    """A message as it lies in the file."""

    stamp: int  # bag time, ns
    channel: int
    data: bytes | memoryview


class Chunk(NamedTuple):
    """Where messages lie that are read together."""

    start: int  # bag time of its first message, ns
    offset: int  # of the record, or of the first record of a run outside of chunks
    size: int  # of the record, or of the run
    channels: frozenset[int]
    is_run: bool = False


class DamagedError(Exception):
    """A part of a file does not hold what its format says; stays inside this package."""


class Recording(Protocol):
    """One file of a bag."""

    path: Path
    channels: dict[int, Channel]
    problems: list[str]
    start: int | None
    end: int | None

    def counts(self) -> dict[int, int]:
        """Number of messages of each channel that has any."""
        ...

    def messages(self, wanted: Collection[int], report: Callable[[str], None]) -> Iterator[Raw]:
        """Messages of the wanted channels by bag time; what is found damaged is reported."""
        ...


class ChunkedRecording(ABC):
    """A file whose messages lie in chunks; formats say how to find chunks and what is in one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channels: dict[int, Channel] = {}
        self.problems: list[str] = []
        self.start: int | None = None
        self.end: int | None = None
        self._chunks: list[Chunk] = []
        self._counts: dict[int, int] = {}
        self._channel_sets: dict[frozenset[int], frozenset[int]] = {}

    def counts(self) -> dict[int, int]:
        """Number of messages of each channel that has any."""
        return self._counts

    def messages(self, wanted: Collection[int], report: Callable[[str], None]) -> Iterator[Raw]:
        """Messages of the wanted channels by bag time; what is found damaged is reported."""
        channels = frozenset(wanted)
        with self.path.open("rb") as file:

            def opened(chunk: Chunk) -> Callable[[], Iterator[Raw]]:
                return lambda: self._in_chunk(file, chunk, channels, report)

            yield from in_time_order(
                (chunk.start, opened(chunk)) for chunk in self._chunks if chunk.channels & channels
            )

    def _in_chunk(
        self,
        file: BinaryIO,
        chunk: Chunk,
        wanted: frozenset[int],
        report: Callable[[str], None],
    ) -> Iterator[Raw]:
        messages, problem = self._read_chunk(file, chunk)
        if problem is not None and problem not in self.problems:
            report(problem)
        if not self.channels.keys() >= {message.channel for message in messages}:
            report(f"{self.path.name} holds messages of a topic that it does not name; left out")
        return iter(
            sorted((m for m in messages if m.channel in wanted), key=lambda message: message.stamp)
        )

    @abstractmethod
    def _read_chunk(self, file: BinaryIO, chunk: Chunk) -> tuple[list[Raw], str | None]:
        """The messages of a chunk as they lie in it, and what is wrong with it if anything."""

    def _add_chunk(self, offset: int, size: int, messages: list[Raw], is_run: bool = False) -> None:
        """Take up a chunk that was found to hold these messages."""
        if not messages:
            return
        stamps = [message.stamp for message in messages]
        channels = self._shared(message.channel for message in messages)
        self._chunks.append(Chunk(min(stamps), offset, size, channels, is_run))
        for message in messages:
            self._counts[message.channel] = self._counts.get(message.channel, 0) + 1
        self._add_span(min(stamps), max(stamps))

    def _shared(self, channels: Iterable[int]) -> frozenset[int]:
        """One set for all chunks with the same channels: a long bag has very many of them."""
        these = frozenset(channels)
        return self._channel_sets.setdefault(these, these)

    def _add_span(self, start: int, end: int) -> None:
        self.start = start if self.start is None else min(self.start, start)
        self.end = end if self.end is None else max(self.end, end)

    def _left(self) -> str:
        """What is in the file after all."""
        count = sum(self._counts.values())
        seconds = 0.0 if self.start is None or self.end is None else (self.end - self.start) / 1e9
        return f"{count} messages over {seconds:.1f} s"

    def _cut_short(self, position: int, size: int) -> str:
        return (
            f"{self.path.name} was cut short or never closed: {self._left()} are left of it "
            f"(read up to byte {position} of {size})"
        )


def in_time_order(
    sources: Iterable[tuple[int, Callable[[], Iterator[Any]]]],
) -> Iterator[Any]:
    """Merge sources of items, each in order of its item[0], into one such order.

    A source is (where it starts, how to open it) and is opened when its start is reached, so that
    only sources overlapping in time are open together. Equal items keep the order of the sources.
    """
    waiting = deque(sorted(enumerate(sources), key=lambda entry: (entry[1][0], entry[0])))
    opened: list[tuple[int, int, Any, Iterator[Any]]] = []
    try:
        while waiting or opened:
            while waiting and (not opened or waiting[0][1][0] <= opened[0][0]):
                number, (_, open_source) = waiting.popleft()
                iterator = open_source()
                for item in iterator:
                    heapq.heappush(opened, (item[0], number, item, iterator))
                    break
            if not opened:
                continue
            _, number, item, iterator = opened[0]
            yield item
            for following in iterator:
                heapq.heapreplace(opened, (following[0], number, following, iterator))
                break
            else:
                heapq.heappop(opened)
    finally:
        for *_, iterator in opened:
            with suppress(AttributeError):  # not a generator
                iterator.close()  # type: ignore[attr-defined]


def decompressed(kind: str, data: bytes, size: int | None) -> bytes:
    """As much of `data` as can be decompressed, up to `size` bytes.

    Raises:
        DamagedError: compression of an unknown kind.
    """
    limit = _UNFINISHED_CHUNK_LIMIT if size is None else size
    if kind in ("", "none"):
        return data[:limit]
    makers: dict[str, Callable[[], Any]] = {
        "zstd": zstd.ZstdDecompressor,
        "lz4": lz4.frame.LZ4FrameDecompressor,
        "bz2": bz2.BZ2Decompressor,
    }
    if kind not in makers:
        raise DamagedError(f"compression {kind!r} is not known")
    try:
        return _decompressed_in_pieces(makers[kind], data, limit, len(data))
    except _DECOMPRESSION_ERRORS:
        pass
    parts: list[bytes] = []
    with suppress(*_DECOMPRESSION_ERRORS):
        _decompressed_in_pieces(makers[kind], data, limit, _SMALL_PIECE, parts)
    return b"".join(parts)


def _decompressed_in_pieces(
    make: Callable[[], Any],
    data: bytes,
    limit: int,
    piece_size: int,
    parts: list[bytes] | None = None,
) -> bytes:
    parts = [] if parts is None else parts
    length = 0
    decompressor = make()
    view = memoryview(data)
    position = 0
    while position < len(view) and length < limit:
        piece = bytes(view[position : position + piece_size])
        position += len(piece)
        while length < limit:
            part = decompressor.decompress(piece, limit - length)
            parts.append(part)
            length += len(part)
            if decompressor.eof:  # another frame may follow
                piece = decompressor.unused_data
                decompressor = make()
                if not piece:
                    break
            elif decompressor.needs_input:
                break
            else:
                piece = b""
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unpacked_text(data: bytes | memoryview, offset: int) -> tuple[str, int]:
    """A string after its length in 4 bytes, and where it ends.

    Raises:
        DamagedError: it reaches beyond the data or is no UTF-8.
    """
    (length,) = unpack_from("<I", data, offset)
    end = offset + 4 + length
    if end > len(data):
        raise DamagedError("a text reaches beyond its record")
    try:
        return bytes(data[offset + 4 : end]).decode(), end
    except UnicodeDecodeError:
        raise DamagedError("a text is not UTF-8") from None


def unpack_from(layout: str, data: bytes | memoryview, offset: int) -> tuple[Any, ...]:
    """struct.unpack_from that raises DamagedError where data ends early."""
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error:
        raise DamagedError("a record is shorter than its fields") from None


def ros2_type(name: str) -> str:
    """Spell "sensor_msgs/Image" as "sensor_msgs/msg/Image"; other spellings stay."""
    package, slash, rest = name.partition("/")
    return f"{package}/msg/{rest}" if slash and "/" not in rest else name
