"""Folders, metadata and compressed files; whatever is wrong is said in one line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from selavpr_ros.bags import BagReader
from selavpr_ros.bags.files import Unpacker
from selavpr_ros.errors import BagError
from test.bags_on_disk import NAV_SAT_FIX, Messages, Storage, write_bag, write_messages
from test.selavpr_ros.bags.reading import drive, read, read_damaged, storage_file

STORAGES = pytest.mark.parametrize("storage", ["mcap", "sqlite3"])


def error_of(path: Path) -> str:
    with pytest.raises(BagError) as caught:
        BagReader(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


def edit_metadata(bag: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    yaml = YAML(typ="safe")
    content = yaml.load((bag / "metadata.yaml").read_text())
    edit(content["rosbag2_bagfile_information"])
    with (bag / "metadata.yaml").open("w") as file:
        yaml.dump(content, file)


def fixes(first: int, last: int) -> list[tuple[int, float, float]]:
    return [(i * 1000, float(i), 13.0) for i in range(first, last)]


def split_bag(path: Path, storage: Storage, parts: int = 3, compression: str = "none") -> Path:
    """A recording of several files; neighbours overlap a little, as those of rosbag2 do."""
    for i in range(parts):
        part = path.with_name(f"{path.name}_{i}")
        make = Messages()
        rows = [
            (stamp + (i * 15 % 4) * 1000, "/fix", NAV_SAT_FIX, make.fix(stamp, latitude, 13.0))
            for stamp, latitude, _ in fixes(10 * i, 10 * i + 10)
        ]
        write_messages(part, rows, storage, compression)  # type: ignore[arg-type]
    path.mkdir()
    files = []
    for i in range(parts):
        part = path.with_name(f"{path.name}_{i}")
        files.append(shutil.move(storage_file(part), path / storage_file(part).name).name)
    shutil.move(part / "metadata.yaml", path / "metadata.yaml")

    def name_all(information: dict[str, Any]) -> None:
        information["relative_file_paths"] = files
        information["topics_with_message_count"][0]["message_count"] = 10 * parts

    edit_metadata(path, name_all)
    return path


# --- several files -------------------------------------------------------------------------------


@STORAGES
@pytest.mark.parametrize("compression", ["none", "file"])
def test_a_recording_of_several_files(tmp_path: Path, storage: Storage, compression: str) -> None:
    bag = split_bag(tmp_path / "drive", storage, parts=12, compression=compression)
    result = read(bag)
    assert result.counts == {"/fix": 120}
    assert sorted(c[1] for _, _, c in result.messages) == list(range(120))
    stamps = [stamp for _, stamp, _ in result.messages]
    assert stamps == sorted(stamps)
    assert result.warnings == []


@STORAGES
def test_a_file_of_several_is_missing(tmp_path: Path, storage: Storage) -> None:
    bag = split_bag(tmp_path / "drive", storage)
    (bag / f"drive_1.{'mcap' if storage == 'mcap' else 'db3'}").unlink()
    result = read(bag)
    assert [c[1] for _, _, c in result.messages] == [*range(10), *range(20, 30)]
    assert result.counts == {"/fix": 20}
    (warning,) = result.warnings
    assert "drive lacks drive_1" in warning


def test_a_file_of_several_is_damaged(tmp_path: Path) -> None:
    bag = split_bag(tmp_path / "drive", "mcap")
    (bag / "drive_1.mcap").write_bytes(b"")
    result = read(bag)
    assert [c[1] for _, _, c in result.messages] == [*range(10), *range(20, 30)]
    assert any("drive_1.mcap: is empty" in warning for warning in result.warnings)


def test_all_files_are_missing(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", "mcap")
    storage_file(bag).unlink()
    assert "files that metadata.yaml names are missing (bag.mcap)" in error_of(bag)


# --- metadata ------------------------------------------------------------------------------------


@STORAGES
@pytest.mark.parametrize("name", ["file", "folder", "metadata.yaml"])
def test_what_names_a_bag(tmp_path: Path, storage: Storage, name: str) -> None:
    bag = drive(tmp_path / "bag", storage)
    whole = read(bag)
    given = {"file": storage_file(bag), "folder": bag, "metadata.yaml": bag / "metadata.yaml"}[name]
    result = read(given)
    assert result == whole
    assert result.warnings == []
    with BagReader(given) as reader, BagReader(str(bag)) as other:
        assert (reader.start, reader.end) == (other.start, other.end) == (10**9, 40 * 10**9 + 5)
        assert reader.size_bytes == storage_file(bag).stat().st_size


@STORAGES
@pytest.mark.parametrize(
    "damage",
    [
        None,
        b"",
        b"\xff\xfe\x00",
        b"rosbag2_bagfile_information: [",
        b"rosbag2_bagfile_information:\n  version: 5\n",
        b"rosbag2_bagfile_information:\n  relative_file_paths: []\n"
        b"  topics_with_message_count: []\n",
        b"- 1\n- 2\n",
    ],
    ids=["missing", "empty", "binary", "cut", "short", "no files", "other"],
)
def test_metadata_is_not_needed(tmp_path: Path, storage: Storage, damage: bytes | None) -> None:
    bag = drive(tmp_path / "bag", storage)
    whole = read(bag)
    (bag / "metadata.yaml").unlink()
    if damage is not None:
        (bag / "metadata.yaml").write_bytes(damage)
    result = read(bag)
    assert (result.messages, result.counts) == (whole.messages, whole.counts)
    (warning,) = result.warnings
    expected = "bag has no metadata.yaml" if damage is None else "metadata.yaml of bag is damaged ("
    assert warning.startswith(expected)


def test_metadata_of_early_versions_names_the_folder_too(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", "sqlite3")

    def edit(information: dict[str, Any]) -> None:
        information["relative_file_paths"] = ["bag/bag.db3"]
        del information["ros_distro"], information["files"], information["custom_data"]

    edit_metadata(bag, edit)
    assert read(bag).warnings == []


def test_metadata_may_leave_off_the_packing(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", "mcap", "file")
    edit_metadata(bag, lambda information: information.update(relative_file_paths=["bag.mcap"]))
    assert len(read(bag).messages) == 80


def test_a_file_that_metadata_does_not_name(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", "mcap")
    shutil.copy(storage_file(bag), tmp_path / "copy.mcap")
    shutil.copy(tmp_path / "copy.mcap", bag / "copy.mcap")
    result = read(bag)
    assert len(result.messages) == 80
    (warning,) = result.warnings
    assert "copy.mcap in bag not read" in warning


def test_topics_without_messages_are_listed(tmp_path: Path) -> None:
    bag = drive(tmp_path / "bag", "sqlite3")

    def edit(information: dict[str, Any]) -> None:
        metadata = {"name": "/imu", "type": "sensor_msgs/msg/Imu", "serialization_format": "cdr"}
        information["topics_with_message_count"].append(
            {"topic_metadata": metadata, "message_count": 0}
        )

    edit_metadata(bag, edit)
    assert read(bag).counts["/imu"] == 0


# --- compressed files ----------------------------------------------------------------------------


@STORAGES
def test_a_compressed_file_on_its_own(tmp_path: Path, storage: Storage) -> None:
    bag = drive(tmp_path / "bag", storage, "file")
    whole = read(bag)
    assert len(whole.messages) == 80
    file = storage_file(bag)
    assert file.suffix == ".zstd"
    assert read(file) == whole
    file.rename(tmp_path / "other name")
    assert read(tmp_path / "other name") == whole


@STORAGES
@pytest.mark.parametrize("part", [0.2, 0.5, 0.95])
def test_a_compressed_file_that_is_cut(tmp_path: Path, storage: Storage, part: float) -> None:
    file = storage_file(drive(tmp_path / "bag", storage, "file"))
    whole = read(file).messages
    data = file.read_bytes()
    file.write_bytes(data[: int(part * len(data))])
    result = read_damaged(file)
    assert result is not None
    assert result.messages[: len(result.messages) - 6] == whole[: len(result.messages) - 6]
    assert len(result.messages) > part * len(whole) - 10
    assert "cut short" in result.warnings[0]


def test_a_compressed_file_that_is_cut_too_early(tmp_path: Path) -> None:
    file = storage_file(drive(tmp_path / "bag", "mcap", "file"))
    file.write_bytes(file.read_bytes()[:10])
    assert "was cut short before anything that can be read" in error_of(file)


def test_copies_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    bag = split_bag(tmp_path / "drive", "mcap", parts=4, compression="file")

    def copies() -> int:
        return len(list((tmp_path / "temporary").glob("*/*")))

    with BagReader(bag) as reader:
        assert copies() == 1
        for _ in reader.messages({"/fix"}):
            assert 1 <= copies() <= 2
        assert copies() == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    reader.close()  # again


def test_a_disk_without_room_for_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = storage_file(drive(tmp_path / "bag", "mcap", "file"))

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("selavpr_ros.bags.files._copy_unpacked", full)
    text = error_of(file)
    assert "No space left on device" in text
    assert "TMPDIR" in text


def test_an_uncompressed_file_is_not_copied(tmp_path: Path) -> None:
    file = storage_file(drive(tmp_path / "bag", "mcap"))
    unpacker = Unpacker()
    with unpacker.unpacked(file) as unpacked:
        assert unpacked == file
    unpacker.close()


# --- what is no bag ------------------------------------------------------------------------------


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    assert error_of(tmp_path / "nowhere.mcap") == ": there is no such bag; check the path"


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag"])
def test_files_that_are_no_bag(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert "is empty (0 bytes)" in error_of(tmp_path / name)
    (tmp_path / name).write_text("Dear diary, today I recorded nothing.\n")
    text = error_of(tmp_path / name)
    assert "is no bag by its content" in text
    assert "give a rosbag2 folder" in text


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    file = storage_file(drive(tmp_path / "bag", "mcap"))
    shutil.copy(file, tmp_path / "renamed.bag")
    assert len(read(tmp_path / "renamed.bag").messages) == 80
    write_bag(tmp_path / "one.bag", "ros1", fixes=fixes(1, 3))
    (tmp_path / "one.bag").rename(tmp_path / "one.bag.active")
    assert len(read(tmp_path / "one.bag.active").messages) == 2


def test_folders_that_are_no_bag(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "holds no bag" in error_of(folder)
    write_bag(folder / "b", "mcap", fixes=fixes(1, 3))
    write_bag(folder / "a", "sqlite3", fixes=fixes(1, 3))
    assert error_of(folder).endswith("give the bags themselves: a, b")
    write_bag(folder / "one.bag", "ros1", fixes=fixes(1, 3))
    assert error_of(folder).endswith("give the files themselves: one.bag")
    for name in ("a", "b"):
        shutil.copy(storage_file(folder / name), folder)
    assert "holds .mcap and .db3 files and no metadata.yaml" in error_of(folder)


def test_a_folder_with_damaged_metadata_alone(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("nothing")
    assert "metadata.yaml is damaged" in error_of(tmp_path)


def test_an_sqlite_file_of_something_else(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "a.db3") as base:
        base.execute("CREATE TABLE cars (id)")
    base.close()
    assert "not a recording of rosbag2" in error_of(tmp_path / "a.db3")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = storage_file(drive(tmp_path / "bag", "mcap"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert error_of(file) == ": cannot be read (Permission denied)"
