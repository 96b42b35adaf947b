"""rosbag2's SQLite files (.db3).

A whole file is asked with SQL. A file that is cut, or was left in the middle of a transaction by a
killed recorder, is gone through page by page instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from selavpr_ros.bags.sqlite_pages import HEADER_SIZE, SqlitePages, page_size_of
from selavpr_ros.bags.storage import Channel, DamagedError, Raw, ros2_type, unpack_from

MAGIC = b"SQLite format 3\x00"

# The second: SQLite quotes damaged names in its errors, and Python cannot decode them.
_SQL_ERRORS = (sqlite3.Error, UnicodeDecodeError)


class SqliteFile:
    """One .db3 file.

    Raises:
        DamagedError: the file is no SQLite database, or holds no recording.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channels: dict[int, Channel] = {}
        self.problems: list[str] = []
        self.start: int | None = None
        self.end: int | None = None
        self._pages: SqlitePages | None = None
        damage = self._damage()
        if damage is None:
            try:
                self._read_tables()
            except _SQL_ERRORS as error:
                damage = f"is damaged ({_one_line(error)})"
                if self._write_ahead_log():
                    damage = (
                        f"cannot be read together with {path.name}-wal ({_one_line(error)}; "
                        "copy the bag to a folder that can be written)"
                    )
        if damage is not None:
            self._go_through_pages(damage)

    def counts(self) -> dict[int, int]:
        """Number of messages of each channel that has any; goes through the whole table."""
        if self._pages is None:
            try:
                with closing(self._connected()) as connection:
                    return dict(
                        connection.execute(
                            "SELECT topic_id, count(*) FROM messages GROUP BY topic_id"
                        )
                    )
            except _SQL_ERRORS as error:
                self._go_through_pages(f"is damaged ({_one_line(error)})")
        assert self._pages is not None
        return self._pages.counts()

    def messages(self, wanted: Collection[int], report: Callable[[str], None]) -> Iterator[Raw]:
        """Messages of the wanted topics by bag time; what is found damaged is reported."""
        last = (-1, -1)
        if self._pages is None:
            try:
                with closing(self._connected()) as connection:
                    # Sorting without the data keeps it out of the temporary file that SQLite
                    # needs where the table has no index.
                    rows = connection.execute(
                        "SELECT timestamp, id, topic_id FROM messages WHERE topic_id IN "
                        f"({','.join('?' * len(wanted))}) ORDER BY timestamp, id",
                        tuple(wanted),
                    )
                    for values in rows:
                        stamp, row, topic = _typed(values, int, int, int)
                        found = connection.execute(
                            "SELECT data FROM messages WHERE id = ?", (row,)
                        ).fetchone()
                        (data,) = _typed(found or (None,), bytes)
                        yield Raw(stamp, topic, data)
                        last = (stamp, row)
                return
            except _SQL_ERRORS as error:
                self._go_through_pages(f"is damaged ({_one_line(error)})")
                report(self.problems[-1])
        assert self._pages is not None
        yield from self._pages.messages(wanted, after=last)

    # --- SQL -------------------------------------------------------------------------------------

    def _damage(self) -> str | None:
        """What keeps the file from being asked with SQL, by its header and its neighbours."""
        with self.path.open("rb") as file:
            header = file.read(HEADER_SIZE)
            size = file.seek(0, 2)
        if not header.startswith(MAGIC):
            raise DamagedError("it does not begin as an SQLite database")
        if len(header) < HEADER_SIZE:
            return "was cut short"
        if self._write_ahead_log():
            return None
        page_size, pages = page_size_of(header), unpack_from(">I", header, 28)[0]
        changes, valid_for = unpack_from(">I", header, 24), unpack_from(">I", header, 92)
        if page_size is None:
            return "has a damaged header"
        if changes == valid_for and size < pages * page_size:
            return "was cut short"
        journal = self.path.with_name(self.path.name + "-journal")
        if (changes == valid_for and size > pages * page_size) or (
            journal.is_file() and journal.stat().st_size
        ):
            return "was not closed"
        return None

    def _write_ahead_log(self) -> bool:
        log = self.path.with_name(self.path.name + "-wal")
        return log.is_file() and log.stat().st_size > 0

    def _connected(self) -> sqlite3.Connection:
        # A log can only be applied by a connection that may write beside the file; otherwise the
        # file is taken as it is, also on a read-only disk.
        options = "mode=ro" if self._write_ahead_log() else "mode=ro&immutable=1"
        uri = f"{self.path.absolute().as_uri()}?{options}"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        connection.text_factory = lambda text: text.decode(errors="replace")
        return connection

    def _read_tables(self) -> None:
        with closing(self._connected()) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if not {"topics", "messages"} <= tables:
                raise DamagedError("it is an SQLite database, but not a recording of rosbag2")
            definitions: dict[str, tuple[str, str]] = {}
            if "message_definitions" in tables:
                for row in connection.execute(
                    "SELECT topic_type, encoding, encoded_message_definition "
                    "FROM message_definitions"
                ):
                    name, encoding, text = _typed(row, str, str, str)
                    definitions[name] = (encoding, text)
            for row in connection.execute(
                "SELECT id, name, type, serialization_format FROM topics"
            ):
                number, topic, name, encoding = _typed(row, int, str, str, str)
                self.channels[number] = Channel(
                    topic, ros2_type(name), encoding, *definitions.get(name, ("", ""))
                )
            # As two queries, each is answered by the index.
            span = connection.execute(
                "SELECT (SELECT min(timestamp) FROM messages), "
                "(SELECT max(timestamp) FROM messages)"
            ).fetchone()
            if span != (None, None):
                self.start, self.end = _typed(span, int, int)

    def _go_through_pages(self, damage: str) -> None:
        self._pages = SqlitePages(self.path)
        self.channels = {**self._pages.channels(), **self.channels}
        count, self.start, self.end = self._pages.span()
        seconds = 0.0 if self.start is None or self.end is None else (self.end - self.start) / 1e9
        self.problems.append(
            f"{self.path.name} {damage}: {count} messages over {seconds:.1f} s are left of it"
        )


def _typed(row: tuple[Any, ...], *kinds: type) -> tuple[Any, ...]:
    """The row, if its values are of these kinds: SQLite does not see to that."""
    if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
        raise sqlite3.DatabaseError("a value is of a wrong kind")
    return row


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
