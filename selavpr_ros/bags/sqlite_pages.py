"""Rows of a damaged SQLite file of rosbag2, found page by page.

Messages are read from the leaf pages of the tables (sqlite.org/fileformat.html) without the pages
that lead to them: a file may be cut where those lie, and still hold thousands of images.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from selavpr_ros.bags.storage import Channel, DamagedError, Raw, ros2_type, unpack_from

HEADER_SIZE = 100

_LEAF = 13  # type of a page that holds rows of a table
_BLOCK = 1 << 20  # bytes read at once when going through pages

_Value = int | bytes | None


class _Cell(NamedTuple):
    """A row of a table as it lies in a leaf page."""

    page: int
    pointer: int  # which cell of the page
    row: int
    size: int
    local: bytes  # what of it lies in the page
    overflow: int  # the page where it goes on; 0: nowhere


class SqlitePages:
    """The rows that are whole in a file whose tables may be damaged.

    Where each message lies is noted in a temporary database on disk, so that memory does not grow
    with the number of messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._topics: dict[int, tuple[str, str, str]] = {}
        self._definitions: dict[str, tuple[str, str]] = {}
        self._found = sqlite3.connect("", check_same_thread=False)
        self._found.execute(
            "CREATE TABLE found (row INTEGER PRIMARY KEY, topic, stamp, page, pointer)"
        )
        with path.open("rb") as file:
            header = file.read(HEADER_SIZE)
            self._page_size = page_size_of(header) or 4096
            self._usable = self._page_size - (header[20] if len(header) > 20 else 0)
            self._count = file.seek(0, 2) // self._page_size
            with self._found:
                self._found.executemany(
                    "INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?)", self._sorted_out(file)
                )

    def channels(self) -> dict[int, Channel]:
        """The topics whose rows are whole."""
        return {
            number: Channel(
                topic, ros2_type(name), encoding, *self._definitions.get(name, ("", ""))
            )
            for number, (topic, name, encoding) in self._topics.items()
        }

    def counts(self) -> dict[int, int]:
        """Number of whole messages of each topic that has any."""
        return dict(self._found.execute("SELECT topic, count(*) FROM found GROUP BY topic"))

    def span(self) -> tuple[int, int | None, int | None]:
        """Number of messages, first and last stamp."""
        count, start, end = self._found.execute(
            "SELECT count(*), min(stamp), max(stamp) FROM found"
        ).fetchone()
        return count, start, end

    def messages(self, wanted: Collection[int], after: tuple[int, int]) -> Iterator[Raw]:
        """Messages of the wanted topics by (stamp, row), beginning behind `after`."""
        with self._path.open("rb") as file:
            for topic, stamp, page, pointer in self._found.execute(
                f"SELECT topic, stamp, page, pointer FROM found WHERE topic IN "
                f"({','.join('?' * len(wanted))}) AND (stamp, row) > (?, ?) ORDER BY stamp, row",
                (*wanted, *after),
            ):
                cell = self._cell(page, self._page(file, page), pointer)
                content = None if cell is None else self._content(file, cell)
                values = None if content is None else _values(content)
                if values is not None and isinstance(values[-1], bytes):
                    yield Raw(stamp, topic, values[-1])

    def _sorted_out(self, file: BinaryIO) -> Iterator[tuple[int, int, int, int, int]]:
        """Take up topics and definitions, and yield where messages are."""
        for cell in self._cells(file):
            if cell.overflow and not self._is_whole(file, cell):
                continue
            # The heads of all values, and the short ones themselves, lie at the beginning.
            head = _values(cell.local, cut=True)
            if head is None:
                continue
            if len(head) == 4 and isinstance(head[1], int) and isinstance(head[2], int):
                yield cell.row, head[1], head[2], cell.page, cell.pointer
            elif len(head) >= 4 and head[0] is None:
                content = self._content(file, cell)
                values = None if content is None else _values(content)
                if values is not None:
                    self._take_up(cell.row, values)

    def _take_up(self, row: int, values: list[_Value]) -> None:
        texts = [v.decode(errors="replace") if isinstance(v, bytes) else "" for v in values]
        if texts[2] in ("ros2msg", "ros2idl"):
            self._definitions[texts[1]] = (texts[2], texts[3])
        elif "/" in texts[1] and "/" in texts[2]:
            self._topics[row] = (texts[1], texts[2], texts[3])

    def _cells(self, file: BinaryIO) -> Iterator[_Cell]:
        pages_a_block = max(1, _BLOCK // self._page_size)
        for first in range(1, self._count + 1, pages_a_block):
            file.seek((first - 1) * self._page_size)
            block = file.read(pages_a_block * self._page_size)
            for i in range(len(block) // self._page_size):
                # On the first page the header of the file stands before that of the page.
                if block[i * self._page_size + (HEADER_SIZE if first + i == 1 else 0)] != _LEAF:
                    continue
                data = block[i * self._page_size : (i + 1) * self._page_size]
                start = HEADER_SIZE if first + i == 1 else 0
                for pointer in range(int.from_bytes(data[start + 3 : start + 5], "big")):
                    cell = self._cell(first + i, data, pointer)
                    if cell is not None:
                        yield cell

    def _cell(self, page: int, data: bytes, pointer: int) -> _Cell | None:
        start = HEADER_SIZE if page == 1 else 0
        try:
            (position,) = unpack_from(">H", data, start + 8 + 2 * pointer)
            size, position = _varint(data, position)
            row, position = _varint(data, position)
            local = self._local_size(size)
            end = position + local
            if local == size:
                overflow = 0
            else:
                (overflow,) = unpack_from(">I", data, end)
        except (DamagedError, IndexError):
            return None
        if end > self._usable or size < 2:
            return None
        return _Cell(page, pointer, row, size, data[position:end], overflow)

    def _local_size(self, size: int) -> int:
        """How much of a row of `size` bytes lies in the leaf page itself."""
        most = self._usable - 35
        if size <= most:
            return size
        least = (self._usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (self._usable - 4)
        return local if local <= most else least

    def _content(self, file: BinaryIO, cell: _Cell) -> bytes | None:
        parts = [cell.local]
        missing = cell.size - len(cell.local)
        page = cell.overflow
        while missing > 0:
            if not 1 <= page <= self._count:
                return None
            data = self._page(file, page)
            parts.append(data[4 : 4 + min(missing, self._usable - 4)])
            missing -= len(parts[-1])
            (page,) = unpack_from(">I", data, 0)
        return b"".join(parts)

    def _is_whole(self, file: BinaryIO, cell: _Cell) -> bool:
        """Whether all pages are there that the row goes on in."""
        page = cell.overflow
        needed = -(-(cell.size - len(cell.local)) // (self._usable - 4))
        if needed > self._count:
            return False
        for _ in range(needed):
            if not 1 <= page <= self._count:
                return False
            file.seek((page - 1) * self._page_size)
            (page,) = unpack_from(">I", file.read(4), 0)
        return page == 0

    def _page(self, file: BinaryIO, page: int) -> bytes:
        file.seek((page - 1) * self._page_size)
        return file.read(self._page_size)


def page_size_of(header: bytes) -> int | None:
    """Bytes of a page by the header of a database; None where the header makes no sense."""
    if len(header) < HEADER_SIZE:
        return None
    (size,) = unpack_from(">H", header, 16)
    size = 65536 if size == 1 else size
    return size if 512 <= size <= 65536 and size & (size - 1) == 0 else None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """SQLite's integers of 1 to 9 bytes, and where they end."""
    value = 0
    for i in range(8):
        byte = data[position + i]
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, position + i + 1
    value = (value << 8) | data[position + 8]
    return (value - (1 << 64) if value >= 1 << 63 else value), position + 9


def _values(content: bytes, cut: bool = False) -> list[_Value] | None:
    """The values of a row: integers, bytes for texts and blobs, None for everything else.

    With `cut` the content may end early, and values that are not all there are given as b"".
    """
    try:
        head_end, position = _varint(content, 0)
        kinds = []
        while position < head_end:
            kind, position = _varint(content, position)
            if kind < 0:
                return None
            kinds.append(kind)
    except IndexError:
        return None
    values: list[_Value] = []
    position = head_end
    for kind in kinds:
        size = (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]
        part = content[position : position + size]
        position += size
        if len(part) < size:
            if not cut:
                return None
            part = b""
        if kind >= 12:
            values.append(part)
        elif 1 <= kind <= 6:
            values.append(int.from_bytes(part, "big", signed=True))
        else:
            values.append({8: 0, 9: 1}.get(kind))
    return values
