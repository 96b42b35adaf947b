"""ROS 1 bags of version 2.0 (wiki.ros.org/Bags/Format/2.0), whole or cut short.

A bag that was closed ends with an index of its connections and chunks, and its first record says
where. A recorder that was killed leaves that position zero, and the last chunk without its size:
then the bag is gone through from the front.
"""

from __future__ import annotations

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
)

MAGIC = b"#ROSBAG V"
_VERSION_LINE = b"#ROSBAG V2.0\n"

_MESSAGE, _BAG, _CHUNK, _CHUNK_INFO, _CONNECTION = 2, 3, 5, 6, 7
# Longer heads are damage: they are not read, so that a wrong length cannot fill the memory.
_LONGEST_HEAD = 1 << 26

_Fields = dict[bytes, bytes]


class _Record(NamedTuple):
    fields: _Fields
    data_offset: int
    data_size: int

    @property
    def opcode(self) -> int:
        return _number(self.fields, b"op", "<B")


class Rosbag1File(ChunkedRecording):
    """One ROS 1 .bag file.

    Raises:
        DamagedError: the file is no ROS 1 bag of version 2.0, or it is encrypted.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open("rb") as file:
            line = file.read(len(_VERSION_LINE))
            if not line.startswith(MAGIC):
                raise DamagedError("it does not begin as a ROS 1 bag")
            if line != _VERSION_LINE:
                raise DamagedError(
                    "it is a ROS 1 bag of another version than 2.0: convert it with `rosbag fix`"
                )
            self._size = file.seek(0, 2)
            try:
                self._read_index(file)
            except DamagedError:
                self._chunks.clear()
                self._counts.clear()
                self.start = self.end = None
                self._scan(file)

    def _read_index(self, file: BinaryIO) -> None:
        """Take up connections and chunks from the index.

        Raises:
            DamagedError: there is none, or it does not fit the file.
        """
        bag = _read_head(file, len(_VERSION_LINE), self._size)
        if bag.opcode != _BAG:
            raise DamagedError("the bag does not begin with its header")
        index = _number(bag.fields, b"index_pos", "<Q")
        if not bag.data_offset <= index <= self._size:
            raise DamagedError("the bag has no index")
        connections = _number(bag.fields, b"conn_count", "<I")
        chunks = _number(bag.fields, b"chunk_count", "<I")
        if index < self._size and _read_head(file, index, self._size).opcode != _CONNECTION:
            raise DamagedError("the index is not where the bag says")
        file.seek(index)
        for record, data in _records(file.read()):
            if record.opcode == _CONNECTION:
                self._take_up_connection(record, data)
            elif record.opcode == _CHUNK_INFO:
                self._take_up_chunk_info(record, data, index)
            else:
                raise DamagedError("the index holds other records")
        if len(self.channels) != connections or len(self._chunks) > chunks:
            raise DamagedError("the index lacks connections")

    def _take_up_chunk_info(self, record: _Record, data: memoryview, index: int) -> None:
        offset = _number(record.fields, b"chunk_pos", "<Q")
        count = _number(record.fields, b"count", "<I")
        if offset >= index:
            raise DamagedError("the index points outside of the file")
        counts = dict(unpack_from("<II", data, 8 * i) for i in range(count))
        if not counts:
            return
        self._chunks.append(
            Chunk(_time(record.fields, b"start_time"), offset, index - offset, self._shared(counts))
        )
        self._add_span(_time(record.fields, b"start_time"), _time(record.fields, b"end_time"))
        for connection, number in counts.items():
            self._counts[connection] = self._counts.get(connection, 0) + number

    def _take_up_connection(self, record: _Record, data: memoryview) -> None:
        fields = _fields(data)
        self.channels[_number(record.fields, b"conn", "<I")] = Channel(
            _text(record.fields, b"topic"),
            ros2_type(_text(fields, b"type")),
            "ros1",
            "ros1msg",
            _text(fields, b"message_definition"),
        )

    def _scan(self, file: BinaryIO) -> None:
        """Take up what lies before the end of the data or the first damage."""
        position = len(_VERSION_LINE)
        run: list[Raw] = []
        run_start = position

        def end_run() -> None:
            self._add_chunk(run_start, position - run_start, run, is_run=True)
            run.clear()

        while position < self._size:
            try:
                record = _read_head(file, position, self._size)
                opcode = record.opcode
                if opcode not in (_MESSAGE, _CONNECTION) or position - run_start >= RUN_BYTES:
                    end_run()
                end = record.data_offset + record.data_size
                if opcode == _CHUNK:
                    end = self._scan_chunk(file, position, record)
                elif end > self._size:
                    break
                elif opcode == _CONNECTION and record.data_size <= _LONGEST_HEAD:
                    file.seek(record.data_offset)
                    self._take_up_connection(record, memoryview(file.read(record.data_size)))
                elif opcode == _MESSAGE:
                    # Of a chunk that was never closed, and therefore has a size of zero.
                    if not run:
                        run_start = position
                    run.append(_message(record, b""))
            except DamagedError:
                break
            position = end
        end_run()
        self.problems.append(self._cut_short(position, self._size))

    def _scan_chunk(self, file: BinaryIO, position: int, record: _Record) -> int:
        """Take up a chunk, and return where the next record begins."""
        end = record.data_offset + record.data_size
        compression = _text(record.fields, b"compression")
        if record.data_size == 0 and compression == "none":
            return end  # unfinished: its records follow as if they lay outside of chunks
        if record.data_size == 0 or end > self._size:
            end = self._size
        chunk = Chunk(0, position, end - position, frozenset())
        messages, problem = self._read_chunk(file, chunk, take_up_connections=True)
        if problem is not None and end < self._size:
            self.problems.append(problem)
        self._add_chunk(position, end - position, messages)
        return end

    def _read_chunk(
        self, file: BinaryIO, chunk: Chunk, take_up_connections: bool = False
    ) -> tuple[list[Raw], str | None]:
        if chunk.is_run:
            file.seek(chunk.offset)
            return self._messages_in(memoryview(file.read(chunk.size)), take_up_connections)[
                0
            ], None
        problem = f"{self.path.name}: the chunk at byte {chunk.offset} is damaged"
        try:
            record = _read_head(file, chunk.offset, self._size)
            if record.opcode != _CHUNK:
                return [], problem
            room = chunk.offset + chunk.size - record.data_offset
            file.seek(record.data_offset)
            data = file.read(min(record.data_size or room, room))
            size = _number(record.fields, b"size", "<I") or None
            records = decompressed(_text(record.fields, b"compression"), data, size)
        except DamagedError:
            return [], problem
        messages, whole = self._messages_in(memoryview(records), take_up_connections)
        unfinished = record.data_size == 0 or record.data_size > room
        sound = unfinished or (whole and len(records) == size)
        return messages, None if sound else f"{problem} after {len(messages)} messages"

    def _messages_in(
        self, records: memoryview, take_up_connections: bool
    ) -> tuple[list[Raw], bool]:
        """The messages among records, and whether all records are whole."""
        messages: list[Raw] = []
        try:
            for record, data in _records(records):
                if record.opcode == _MESSAGE:
                    messages.append(_message(record, data))
                elif record.opcode == _CONNECTION and take_up_connections:
                    self._take_up_connection(record, data)
        except DamagedError:
            return messages, False
        return messages, True


def _message(record: _Record, data: bytes | memoryview) -> Raw:
    return Raw(_time(record.fields, b"time"), _number(record.fields, b"conn", "<I"), data)


def _read_head(file: BinaryIO, position: int, size: int) -> _Record:
    """The head of the record at `position` of the file; its data is not read."""
    file.seek(position)
    (length,) = unpack_from("<I", file.read(4), 0)
    if length > min(_LONGEST_HEAD, size):
        raise DamagedError("a record's head is too long")
    fields = _fields(memoryview(file.read(length)))
    (data_size,) = unpack_from("<I", file.read(4), 0)
    return _Record(fields, position + 8 + length, data_size)


def _records(data: bytes | memoryview) -> Iterator[tuple[_Record, memoryview]]:
    """The records that lie one after the other, with their data.

    Raises:
        DamagedError: the last one reaches beyond the end.
    """
    view = memoryview(data)
    position = 0
    while position < len(view):
        (length,) = unpack_from("<I", view, position)
        fields = _fields(view[position + 4 : position + 4 + length])
        (data_size,) = unpack_from("<I", view, position + 4 + length)
        start = position + 8 + length
        position = start + data_size
        if position > len(view):
            raise DamagedError("a record reaches beyond the end")
        yield _Record(fields, start, data_size), view[start:position]


def _fields(head: memoryview) -> _Fields:
    fields: _Fields = {}
    position = 0
    while position < len(head):
        (length,) = unpack_from("<I", head, position)
        position += 4
        name, equals, value = bytes(head[position : position + length]).partition(b"=")
        position += length
        if not equals or position > len(head):
            raise DamagedError("a field of a record's head is damaged")
        fields[name] = value
    return fields


def _number(fields: _Fields, name: bytes, layout: str) -> int:
    number: int = unpack_from(layout, fields.get(name, b""), 0)[0]
    return number


def _time(fields: _Fields, name: bytes) -> int:
    seconds, nanoseconds = unpack_from("<II", fields.get(name, b""), 0)
    time: int = seconds * 1_000_000_000 + nanoseconds
    return time


def _text(fields: _Fields, name: bytes) -> str:
    try:
        return fields[name].decode()
    except KeyError:
        raise DamagedError(f"a record lacks its {name.decode()}") from None
    except UnicodeDecodeError:
        raise DamagedError("a text is not UTF-8") from None
