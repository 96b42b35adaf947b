"""Rows found page by page are those that SQL finds."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_ros.bags.sqlite_pages import SqlitePages, page_size_of

Row = tuple[int, int, bytes]  # topic, stamp, data


def make(path: Path, rows: list[Row], page_size: int, definitions: int = 2) -> None:
    with sqlite3.connect(path) as base:
        base.execute(f"PRAGMA page_size = {page_size}")
        base.executescript(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,"
            " serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);"
            "CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL,"
            " encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL,"
            " type_description_hash TEXT NOT NULL);"
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,"
            " timestamp INTEGER NOT NULL, data BLOB NOT NULL);"
            "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
        )
        for i in range(definitions):
            base.execute(
                "INSERT INTO topics VALUES (?, ?, ?, 'cdr', ?)",
                (i, f"/topic_{i}", f"pkg/msg/Type{i}", "- history: 3\n" * 40),
            )
            base.execute(
                "INSERT INTO message_definitions VALUES (?, ?, 'ros2msg', ?, 'RIHS01_0')",
                (i, f"pkg/msg/Type{i}", f"uint8 field_{i}\n" * 300),
            )
        base.executemany("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", rows)
    base.close()


rows_of_any_size = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([0, 1, 127, 128, 1 << 20, 1_700_000_000_000_000_000]),
        st.integers(0, 3000).map(lambda n: np.random.default_rng(n).bytes(n)),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(rows=rows_of_any_size, page_size=st.sampled_from([512, 1024, 4096, 65536]))
def test_all_rows_of_a_whole_file_are_found(rows: list[Row], page_size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.db3"
        make(path, rows, page_size)
        pages = SqlitePages(path)
        assert pages.counts() == {
            topic: n for topic in (0, 1) if (n := sum(row[0] == topic for row in rows))
        }
        stamps = [row[1] for row in rows]
        assert pages.span() == (len(rows), min(stamps, default=None), max(stamps, default=None))
        found = [(raw.channel, raw.stamp, raw.data) for raw in pages.messages([0, 1], (-1, -1))]
        assert found == sorted(rows, key=lambda row: row[1])
        only = [(raw.channel, raw.stamp, raw.data) for raw in pages.messages([1], (-1, -1))]
        assert only == [row for row in found if row[0] == 1]
        channel = pages.channels()[1]
        assert (channel.topic, channel.type, channel.encoding) == (
            "/topic_1",
            "pkg/msg/Type1",
            "cdr",
        )
        assert (channel.schema, channel.definition) == ("ros2msg", "uint8 field_1\n" * 300)


def test_reading_goes_on_behind_a_row(tmp_path: Path) -> None:
    rows = [(0, stamp, b"%d" % i) for i, stamp in enumerate([5, 5, 5, 6, 7])]
    make(tmp_path / "a.db3", rows, 4096)
    pages = SqlitePages(tmp_path / "a.db3")
    assert [raw.data for raw in pages.messages([0], (5, 2))] == [b"2", b"3", b"4"]


def test_messages_are_found_without_the_pages_that_lead_to_them(tmp_path: Path) -> None:
    """The root of the table is what a cut or a torn transaction loses first."""
    rng = np.random.default_rng(0)
    rows = [(0, stamp, rng.bytes(700)) for stamp in range(2000)]
    path = tmp_path / "a.db3"
    make(path, rows, 1024)
    data = bytearray(path.read_bytes())
    inner = [p for p in range(1024, len(data), 1024) if data[p] == 5]
    assert len(inner) > 5
    for page in inner:
        data[page : page + 1024] = bytes(1024)
    path.write_bytes(data)
    with sqlite3.connect(path) as base, pytest.raises(sqlite3.DatabaseError):
        base.execute("SELECT data FROM messages").fetchall()
    base.close()
    pages = SqlitePages(path)
    assert [(0, r.stamp, r.data) for r in pages.messages([0], (-1, -1))] == rows


def test_rows_that_are_not_whole_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(0, stamp, rng.bytes(5000)) for stamp in range(50)]
    path = tmp_path / "a.db3"
    make(path, rows, 512)
    data = path.read_bytes()
    for part in (0.3, 0.5, 0.9):
        path.write_bytes(data[: int(part * len(data))])
        found = [(0, r.stamp, r.data) for r in SqlitePages(path).messages([0], (-1, -1))]
        # Here every row is larger than a page, so they lie in the order of writing.
        assert found == rows[: len(found)]
        assert len(found) > 50 * part - 5
        assert SqlitePages(path).span()[0] == len(found)


def test_chains_of_pages_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    make(path, [(0, 1, bytes(20_000)), (0, 2, b"small")], 512)
    data = bytearray(path.read_bytes())
    for page in range(0, len(data), 512):
        if data[page] == 0:  # overflow pages begin with the number of the next one, below 2**24
            data[page : page + 4] = (page // 512 + 1).to_bytes(4, "big")
    path.write_bytes(data)
    assert [r.stamp for r in SqlitePages(path).messages([0], (-1, -1))] == [2]


def test_a_size_that_no_file_can_hold_in_a_chain_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    make(path, [(0, 1, b"sound")], 512)
    pages = path.stat().st_size // 512
    size = (1 << 56) - 1
    local = 39 + (size - 39) % 508  # what of it lies in the leaf page, by SQLite's rule
    cell = b"\xff" * 7 + b"\x7f" + b"\x02" + bytes(local) + (pages + 2).to_bytes(4, "big")
    leaf = b"\x0d\x00\x00\x00\x01\x00\x0a\x00\x00\x0a" + cell
    chain = (pages + 2).to_bytes(4, "big")  # goes on in itself
    path.write_bytes(path.read_bytes() + leaf.ljust(512, b"\x00") + chain.ljust(512, b"\x00"))
    assert [r.data for r in SqlitePages(path).messages([0], (-1, -1))] == [b"sound"]


@pytest.mark.parametrize("size", [0, 1, 99, 100, 511, 513])
def test_files_shorter_than_a_page(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.db3"
    make(path, [], 512)
    path.write_bytes(path.read_bytes()[:size])
    pages = SqlitePages(path)
    assert (pages.span()[0], pages.channels()) == (0, {})


def test_page_size_of() -> None:
    def header(size: int) -> bytes:
        return bytes(16) + size.to_bytes(2, "big") + bytes(82)

    assert page_size_of(header(1)) == 65536
    assert page_size_of(header(4096)) == 4096
    assert page_size_of(header(4097)) is None
    assert page_size_of(header(0)) is None
    assert page_size_of(b"") is None
