from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selavpr_ros.bags import BagReader
from selavpr_ros.bags.sqlite import SqliteFile
from selavpr_ros.bags.storage import DamagedError
from test.bags_on_disk import NAV_SAT_FIX, ROS2, Messages
from test.selavpr_ros.bags.reading import (
    Message,
    drive,
    is_part,
    read,
    read_damaged,
    storage_file,
)


def fix(number: int) -> bytes:
    return bytes(ROS2.serialize_cdr(Messages().fix(number, float(number), 13.0), NAV_SAT_FIX))


# What rosbag2 of each version makes: Foxy knows no definitions, Dashing no QoS either.
SCHEMAS = {
    "dashing": """
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL);
        INSERT INTO topics VALUES (1, '/fix', 'sensor_msgs/msg/NavSatFix', 'cdr');""",
    "foxy": """
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
        INSERT INTO topics VALUES (1, '/fix', 'sensor_msgs/msg/NavSatFix', 'cdr', '');""",
    "jazzy": """
        CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
        INSERT INTO schema VALUES (4, 'jazzy');
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL,
            type_description_hash TEXT NOT NULL);
        INSERT INTO topics VALUES (1, '/fix', 'sensor_msgs/msg/NavSatFix', 'cdr', '', '');
        CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL,
            encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL,
            type_description_hash TEXT NOT NULL);
        INSERT INTO message_definitions VALUES
            (1, 'sensor_msgs/msg/NavSatFix', 'unknown', '', '');""",
}
MESSAGES = """CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, data BLOB NOT NULL);"""
INDEX = "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"


def write_db3(path: Path, stamps: list[int], version: str = "jazzy", index: str = INDEX) -> Path:
    base = sqlite3.connect(path)
    with base:
        base.executescript(SCHEMAS[version] + MESSAGES + index)
        base.executemany(
            "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)",
            [(stamp, fix(i)) for i, stamp in enumerate(stamps)],
        )
    base.close()
    return path


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("index", [INDEX, ""], ids=["index", "no index"])
def test_files_of_all_versions(tmp_path: Path, version: str, index: str) -> None:
    stamps = [(i * 7919) % 1000 for i in range(1000)]
    path = write_db3(tmp_path / "a.db3", stamps, version, index)
    result = read(path)
    assert [stamp for _, stamp, _ in result.messages] == sorted(stamps)
    assert [latitude for _, _, (_, latitude) in result.messages] == sorted(
        range(1000), key=lambda i: stamps[i]
    )
    assert result.counts == {"/fix": 1000}
    assert result.warnings == []
    with BagReader(path) as reader:
        assert (reader.start, reader.end) == (0, 999)
        assert reader.topics["/fix"].type == NAV_SAT_FIX


def test_a_path_with_characters_that_mean_something_in_a_uri(tmp_path: Path) -> None:
    path = write_db3(tmp_path / "50% of a? #1 ü.db3", [1, 2])
    assert len(read(path).messages) == 2


def test_nothing_is_written_beside_the_file(tmp_path: Path) -> None:
    path = write_db3(tmp_path / "a.db3", [1, 2])
    before = path.read_bytes()
    read(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.db3"]
    assert path.read_bytes() == before


@pytest.fixture(scope="module", params=["none", "message"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, list[Message]]:
    bag = drive(tmp_path_factory.mktemp("recorded") / "bag", "sqlite3", request.param)
    return storage_file(bag).read_bytes(), read(bag).messages


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0, 1, exclude_max=True))
def test_cut_anywhere(tmp_path: Path, recorded: tuple[bytes, list[Message]], part: float) -> None:
    data, whole = recorded
    cut = tmp_path / "cut.db3"
    cut.write_bytes(data[: int(part * len(data))])
    result = read_damaged(cut)
    if result is None:
        assert part * len(data) < 50_000  # the topics are written first
        return
    # A large message and what comes behind it may lie before and after the cut, so that its end
    # is ragged; what is read is whole and in order.
    assert is_part(result.messages, whole)
    tail = whole[max(0, len(result.messages) - 6) :]
    assert result.messages[: len(whole) - len(tail)] == whole[: len(whole) - len(tail)]
    assert len(result.messages) > part * len(whole) - 8
    assert sum(result.counts.values()) == len(result.messages)
    (warning,) = result.warnings
    assert warning.startswith(f"cut.db3 was cut short: {len(result.messages)} messages over")


def test_damage_found_while_reading(tmp_path: Path) -> None:
    """Messages before the damage are not read twice, and those behind it are not lost."""
    path = write_db3(tmp_path / "a.db3", list(range(5000)))
    data = bytearray(path.read_bytes())
    pages = [p for p in range(4096, len(data), 4096) if data[p] == 13]
    for page in pages[len(pages) // 2 : len(pages) // 2 + 3]:
        data[page : page + 4096] = bytes(4096)
    path.write_bytes(data)
    with BagReader(path) as reader:
        stamps = [stamp for _, stamp, _ in reader.messages({"/fix"})]
        warnings = reader.warnings
    assert stamps == sorted(set(stamps))
    assert 4900 < len(stamps) < 5000
    assert stamps[-1] == 4999
    assert warnings[0].startswith("a.db3 is damaged (")


# A recorder of its own process, which kills itself in the middle of a transaction.
RECORDER = """
import os, signal, sqlite3, sys
path, journal, committed, more = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, {project!r})
from test.selavpr_ros.bags.test_sqlite import INDEX, MESSAGES, SCHEMAS, fix
base = sqlite3.connect(path, isolation_level=None)
base.execute(f"PRAGMA journal_mode = {{journal}}")
base.execute("PRAGMA wal_autocheckpoint = 0")
base.execute("PRAGMA cache_size = 10")
base.executescript(SCHEMAS["jazzy"] + MESSAGES + INDEX)
for first, last in ((0, committed), (committed, committed + more)):
    base.execute("BEGIN")
    for i in range(first, last):
        insert = "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)"
        base.execute(insert, (i, fix(i)))
    if first == 0:
        base.execute("COMMIT")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("journal", ["WAL", "MEMORY", "OFF", "DELETE"])
def test_a_recorder_that_was_killed(tmp_path: Path, project: Path, journal: str) -> None:
    path = tmp_path / "a.db3"
    command = [sys.executable, "-c", RECORDER.format(project=str(project))]
    done = subprocess.run([*command, str(path), journal, "1000", "3000"], check=False)
    assert done.returncode == -signal.SIGKILL
    result = read(path)
    stamps = [stamp for _, stamp, _ in result.messages]
    assert stamps[:1000] == list(range(1000))
    assert stamps == sorted(set(stamps))
    assert [latitude for _, _, (_, latitude) in result.messages] == stamps
    if journal == "WAL":
        # What was committed lies in the log beside the file; nothing is missing.
        assert (tmp_path / "a.db3-wal").stat().st_size > 0
        assert (len(stamps), result.warnings) == (1000, [])
    else:
        # What spilled out of the recorder's cache is there as well.
        assert len(stamps) > 3500
        assert result.warnings[0].startswith("a.db3 was not closed: ")


def test_a_log_that_cannot_be_applied(tmp_path: Path, project: Path) -> None:
    """As in a folder that cannot be written: SQLite needs a file beside the log."""
    path = tmp_path / "a.db3"
    command = [sys.executable, "-c", RECORDER.format(project=str(project))]
    subprocess.run([*command, str(path), "WAL", "10", "10"], check=False)
    base = sqlite3.connect(path)
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the file holds the messages
    base.close()
    (tmp_path / "a.db3-wal").write_bytes(b"a log")
    (tmp_path / "a.db3-shm").symlink_to(tmp_path / "nowhere" / "a.db3-shm")
    result = read(path)
    assert [stamp for _, stamp, _ in result.messages] == list(range(10))
    (warning,) = result.warnings
    assert warning.startswith("a.db3 cannot be read together with a.db3-wal (")
    assert "copy the bag to a folder that can be written" in warning


def test_a_copy_without_its_log(tmp_path: Path) -> None:
    path = write_db3(tmp_path / "a.db3", list(range(100)))
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (1, 100, ?)", (fix(9),))
    base.commit()
    shutil.copy(path, tmp_path / "copy.db3")
    base.close()
    assert len(read(tmp_path / "copy.db3").messages) == 100


def test_other_databases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE cars (id)")
    base.close()
    with pytest.raises(DamagedError, match="not a recording of rosbag2"):
        SqliteFile(path)
    path.write_text("something else")
    with pytest.raises(DamagedError, match="does not begin"):
        SqliteFile(path)


def test_values_of_a_wrong_kind(tmp_path: Path) -> None:
    path = write_db3(tmp_path / "a.db3", list(range(10)))
    with sqlite3.connect(path) as base:
        base.execute("UPDATE messages SET data = 'text' WHERE id = 3")
        base.execute("UPDATE messages SET timestamp = 'late' WHERE id = 9")
    base.close()
    result = read(path)
    assert is_part(
        [(t, s, c) for t, s, c in result.messages],
        [("/fix", i, (0, float(i))) for i in range(10)],
    )
    assert "is damaged" in result.warnings[0]
