"""MCAP files (https://mcap.dev/spec), whole or cut short.

A file that was closed ends with a summary: its channels, the place and time of each chunk, and how
many messages there are. Without one (recorder killed, disk full, copy broken off) the file is gone
through from the front, and what stands before the cut is read, also of the chunk that is cut.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from selavpr_ros.bags.storage import (
    RUN_BYTES,
    Channel,
    Chunk,
    ChunkedRecording,
    DamagedError,
    Raw,
    decompressed,
    ros2_type,
    unpack_from,
    unpacked_text,
)

MAGIC = b"\x89MCAP0\r\n"

_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 0x02, 0x03, 0x04, 0x05, 0x06
_CHUNK_INDEX, _STATISTICS, _DATA_END = 0x08, 0x0B, 0x0F
_SUMMARY = frozenset({_SCHEMA, _CHANNEL, _CHUNK_INDEX, 0x0A, _STATISTICS, 0x0D, 0x0E})
_RECORD_HEAD = 9  # opcode, length
_FOOTER_SIZE = _RECORD_HEAD + 20
_MESSAGE_HEAD = 22
_CHUNK_HEAD = 28  # up to the name of the compression
# Longer ones are damage: they are not read, so that a wrong length cannot fill the memory.
_LONGEST_CHUNK_HEAD = 4096
_LONGEST_DEFINITION = 1 << 26


class _ChunkHead(NamedTuple):
    uncompressed_size: int
    checksum: int  # 0: none
    compression: str
    data_offset: int  # from the start of the record's content
    data_size: int


class McapFile(ChunkedRecording):
    """One .mcap file.

    Raises:
        DamagedError: the file is no MCAP file.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._schemas: dict[int, tuple[str, str, str]] = {}
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise DamagedError("it does not begin as an MCAP file")
            self._size = file.seek(0, 2)
            try:
                if self._read_summary(file):
                    return
                damaged = False
            except DamagedError:
                damaged = True
            self._chunks.clear()
            self._counts.clear()
            position, reached_end = self._scan(file)
            if not reached_end or not self._has_end(file):
                self.problems.append(self._cut_short(position, self._size))
            elif damaged:
                self.problems.append(
                    f"the index of {path.name} is damaged: {self._left()} were found without it"
                )

    # --- a file that was closed ------------------------------------------------------------------

    def _has_end(self, file: BinaryIO) -> bool:
        file.seek(max(0, self._size - len(MAGIC)))
        return file.read() == MAGIC

    def _read_summary(self, file: BinaryIO) -> bool:
        """Take up channels, chunks and counts from the summary; False where it lacks them.

        Writers may leave off the summary, or parts of it.

        Raises:
            DamagedError: it is damaged or does not fit the file.
        """
        footer = self._size - len(MAGIC) - _FOOTER_SIZE
        if footer < len(MAGIC) or not self._has_end(file):
            raise DamagedError("the file has no end")
        file.seek(footer)
        opcode, length, summary_start = unpack_from("<BQQ", file.read(_FOOTER_SIZE), 0)
        if opcode != _FOOTER or length != _FOOTER_SIZE - _RECORD_HEAD:
            raise DamagedError("the file has no end")
        if summary_start == 0:
            return False
        if not len(MAGIC) <= summary_start < footer:
            raise DamagedError("the summary is not where the file says")
        file.seek(summary_start)
        if file.read(1)[0] not in _SUMMARY:
            raise DamagedError("the summary is not where the file says")
        file.seek(summary_start)
        summary = file.read(footer - summary_start)
        tail = file.read(_FOOTER_SIZE)
        (checksum,) = unpack_from("<I", tail, _FOOTER_SIZE - 4)
        if checksum and zlib.crc32(tail[:-4], zlib.crc32(summary)) != checksum:
            raise DamagedError("the summary's checksum is wrong")

        statistics = None
        for opcode, content in _records(summary):
            self._take_up_channel(opcode, content)
            if opcode == _CHUNK_INDEX:
                self._take_up_chunk_index(content, summary_start)
            elif opcode == _STATISTICS:
                statistics = content
        if statistics is None:
            return False
        count, _, _, _, _, chunk_count, start, end = unpack_from("<QHIIIIQQ", statistics, 0)
        counts = {channel: number for channel, number in _pairs(statistics, 42) if number}
        listed = frozenset[int]().union(*(chunk.channels for chunk in self._chunks))
        if (
            chunk_count != len(self._chunks)
            or sum(counts.values()) != count
            or not counts.keys() <= self.channels.keys()
            or not counts.keys() <= listed  # no index of messages, or messages outside of chunks
        ):
            return False
        self._counts = counts
        if count:
            self._add_span(start, end)
        return True

    def _take_up_chunk_index(self, content: memoryview, data_end: int) -> None:
        start, _, offset, size = unpack_from("<QQQQ", content, 0)
        if not len(MAGIC) <= offset <= offset + size <= data_end:
            raise DamagedError("the summary points outside of the file")
        channels = self._shared(channel for channel, _ in _pairs(content, 32))
        self._chunks.append(Chunk(start, offset, size, channels))

    def _take_up_channel(self, opcode: int, content: memoryview) -> None:
        if opcode == _SCHEMA:
            (number,) = unpack_from("<H", content, 0)
            name, end = unpacked_text(content, 2)
            encoding, end = unpacked_text(content, end)
            # A definition of another encoding may be binary; it is not used then.
            definition = ""
            if encoding in ("ros1msg", "ros2msg", "ros2idl", "omgidl"):
                definition, _ = unpacked_text(content, end)
            self._schemas[number] = (name, encoding, definition)
        elif opcode == _CHANNEL:
            number, schema = unpack_from("<HH", content, 0)
            topic, end = unpacked_text(content, 4)
            encoding, _ = unpacked_text(content, end)
            name, schema_encoding, definition = self._schemas.get(schema, ("", "", ""))
            schema_encoding = {"omgidl": "ros2idl"}.get(schema_encoding, schema_encoding)
            self.channels[number] = Channel(
                topic, ros2_type(name), encoding, schema_encoding, definition
            )

    # --- a file that was not ---------------------------------------------------------------------

    def _scan(self, file: BinaryIO) -> tuple[int, bool]:
        """Take up what lies before the end of the data or the first damage.

        Returns where that is, and whether it is the end of the data.
        """
        opcode = 0
        position = len(MAGIC)
        run: list[Raw] = []
        run_start = position

        def end_run() -> None:
            self._add_chunk(run_start, position - run_start, run, is_run=True)
            run.clear()

        while position + _RECORD_HEAD <= self._size:
            file.seek(position)
            opcode, length = unpack_from("<BQ", file.read(_RECORD_HEAD), 0)
            end = position + _RECORD_HEAD + length
            if opcode not in (_SCHEMA, _CHANNEL, _MESSAGE) or position - run_start >= RUN_BYTES:
                end_run()
            if opcode in (0, _DATA_END, _FOOTER) or (end > self._size and opcode != _CHUNK):
                break
            try:
                if opcode == _CHUNK:
                    self._scan_chunk(file, position, min(end, self._size), cut=end > self._size)
                elif opcode in (_SCHEMA, _CHANNEL) and length <= _LONGEST_DEFINITION:
                    self._take_up_channel(opcode, memoryview(file.read(length)))
                elif opcode == _MESSAGE:
                    if not run:
                        run_start = position
                    channel, _, stamp, _ = unpack_from("<HIQQ", file.read(_MESSAGE_HEAD), 0)
                    run.append(Raw(stamp, channel, b""))
            except DamagedError:
                break
            position = min(end, self._size)
        end_run()
        return position, opcode in (_DATA_END, _FOOTER)

    def _scan_chunk(self, file: BinaryIO, position: int, end: int, cut: bool) -> None:
        chunk = Chunk(0, position, end - position, frozenset())
        messages, problem = self._read_chunk(file, chunk, take_up_channels=True)
        if problem is not None and not cut:
            self.problems.append(problem)
        self._add_chunk(position, end - position, messages)

    # --- chunks ----------------------------------------------------------------------------------

    def _read_chunk(
        self, file: BinaryIO, chunk: Chunk, take_up_channels: bool = False
    ) -> tuple[list[Raw], str | None]:
        file.seek(chunk.offset)
        if chunk.is_run:
            return self._messages_in(memoryview(file.read(chunk.size)), take_up_channels)[0], None
        problem = f"{self.path.name}: the chunk at byte {chunk.offset} is damaged and left out"
        try:
            opcode, length = unpack_from("<BQ", file.read(_RECORD_HEAD), 0)
            head = _chunk_head(file.read(min(length, _LONGEST_CHUNK_HEAD)))
            if opcode != _CHUNK or head.data_offset + head.data_size != length:
                return [], problem
            file.seek(chunk.offset + _RECORD_HEAD + head.data_offset)
            data = file.read(min(head.data_size, chunk.size - _RECORD_HEAD - head.data_offset))
            records = decompressed(head.compression, data, head.uncompressed_size)
        except DamagedError:
            return [], problem
        messages, whole = self._messages_in(memoryview(records), take_up_channels)
        if chunk.size < _RECORD_HEAD + length:
            # Cut by the end of the file, which is known: what stands before the cut is sound.
            return messages, None
        if head.checksum and zlib.crc32(records) != head.checksum:
            whole = False
        if whole and len(records) == head.uncompressed_size:
            return messages, None
        return [], problem

    def _messages_in(self, records: memoryview, take_up_channels: bool) -> tuple[list[Raw], bool]:
        """The messages among records, and whether all records are whole."""
        messages: list[Raw] = []
        try:
            for opcode, content in _records(records):
                if opcode == _MESSAGE:
                    channel, _, stamp, _ = unpack_from("<HIQQ", content, 0)
                    messages.append(Raw(stamp, channel, content[_MESSAGE_HEAD:]))
                elif take_up_channels:
                    self._take_up_channel(opcode, content)
        except DamagedError:
            return messages, False
        return messages, True


def _chunk_head(content: bytes) -> _ChunkHead:
    _, _, uncompressed_size, checksum = unpack_from("<QQQI", content, 0)
    compression, end = unpacked_text(content, _CHUNK_HEAD)
    (data_size,) = unpack_from("<Q", content, end)
    return _ChunkHead(uncompressed_size, checksum, compression, end + 8, data_size)


def _records(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """(opcode, content) of the records that lie one after the other.

    Raises:
        DamagedError: the last one reaches beyond the end.
    """
    view = memoryview(data)
    position = 0
    while position < len(view):
        opcode, length = unpack_from("<BQ", view, position)
        position += _RECORD_HEAD
        if position + length > len(view):
            raise DamagedError("a record reaches beyond the end")
        yield opcode, view[position : position + length]
        position += length


def _pairs(content: memoryview, offset: int) -> list[tuple[int, int]]:
    """A map of channel numbers to 8-byte numbers."""
    (size,) = unpack_from("<I", content, offset)
    if offset + 4 + size > len(content) or size % 10:
        raise DamagedError("a map reaches beyond its record")
    return [unpack_from("<HQ", content, offset + 4 + i)[:2] for i in range(0, size, 10)]
