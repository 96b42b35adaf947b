"""The files of a bag: which belong to it, unpacked where compressed, opened by their content."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from backports import zstd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from selavpr_ros.bags import mcap, rosbag1, sqlite
from selavpr_ros.bags.storage import ZSTD_MAGIC, DamagedError, Recording
from selavpr_ros.errors import BagError

METADATA = "metadata.yaml"

_STORAGE = (".mcap", ".db3")
_COMPRESSED = (".zstd", ".zst")
_PIECE = 1 << 20


class Metadata(NamedTuple):
    """What a rosbag2 folder's metadata.yaml says of it."""

    files: list[str]
    topics: list[tuple[str, str, int]]  # name, type, number of messages
    distribution: str | None


def find_files(path: Path) -> tuple[list[Path], Metadata | None, list[str]]:
    """The storage files of the bag at `path`, its metadata, and what is wrong with these.

    Raises:
        BagError: there is no bag at `path`.
    """
    if not path.exists():
        raise BagError(f"{path}: there is no such bag; check the path")
    if not path.is_dir():
        return [path], None, []
    present = sorted(entry for entry in path.iterdir() if _is_storage(entry))
    if not (path / METADATA).exists():
        if not present:
            raise BagError(f"{path}: {_what_else(path)}")
        if len({file.name.removesuffix(_packing(file)).rpartition(".")[2] for file in present}) > 1:
            raise BagError(
                f"{path}: holds .mcap and .db3 files and no {METADATA} that says which belong "
                "together; give one of the files"
            )
        return present, None, [f"{path.name} has no {METADATA} (recorder killed?)"]
    try:
        metadata = _read_metadata(path / METADATA)
    except DamagedError as error:
        if not present:
            raise BagError(
                f"{path}: {METADATA} is damaged ({error}) and no file is there"
            ) from None
        return present, None, [f"{METADATA} of {path.name} is damaged ({error})"]

    files: list[Path] = []
    missing: list[str] = []
    for name in metadata.files:
        # Early versions wrote the folder before the name, and left off the packing behind it.
        candidates = [path / (Path(name).name + suffix) for suffix in ("", *_COMPRESSED)]
        found = next((file for file in candidates if file.exists()), None)
        if found is None:
            missing.append(Path(name).name)
        elif found not in files:
            files.append(found)
    problems = []
    if missing:
        if not files:
            raise BagError(
                f"{path}: the files that {METADATA} names are missing ({', '.join(missing)}); "
                "copy them beside it"
            )
        problems.append(f"{path.name} lacks {', '.join(missing)}, named in its {METADATA}")
    extra = [file.name for file in present if file not in files]
    if extra:
        problems.append(
            f"{', '.join(extra)} in {path.name} not read: {METADATA} does not name "
            + ("it" if len(extra) == 1 else "them")
        )
    return files, metadata, problems


def open_recording(path: Path, name: str) -> Recording:
    """Open one storage file, whichever it is by its first bytes; errors call it `name`.

    Raises:
        BagError: the file cannot be read or is no bag.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if not head:
            raise BagError(f"{name}: is empty (0 bytes), nothing was recorded into it")
        if head.startswith(mcap.MAGIC):
            return mcap.McapFile(path)
        if head.startswith(sqlite.MAGIC):
            return sqlite.SqliteFile(path)
        if head.startswith(rosbag1.MAGIC):
            return rosbag1.Rosbag1File(path)
    except DamagedError as error:
        raise BagError(f"{name}: {error}") from None
    except OSError as error:
        raise BagError(f"{name}: cannot be read ({error.strerror})") from None
    raise BagError(
        f"{name}: is no bag by its content; give a rosbag2 folder, an .mcap or .db3 file of one, "
        "or a ROS 1 .bag"
    )


class Unpacker:
    """Files that are compressed as a whole, unpacked while they are needed.

    Only one copy is kept when none is needed, so that a long recording of many files does not have
    to fit on the disk twice.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._copies: dict[Path, Path] = {}
        self._users: dict[Path, int] = {}
        self.cut: set[Path] = set()  # files of which not all could be unpacked

    @contextmanager
    def unpacked(self, path: Path) -> Iterator[Path]:
        """The file itself, or a copy of what is in it, for as long as the context lasts.

        Raises:
            BagError: the disk has no room for the copy.
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            if file.read(len(ZSTD_MAGIC)) != ZSTD_MAGIC:
                yield path
                return
        if path not in self._copies:
            self._remove_unused()
            self._unpack(path)
        self._users[path] = self._users.get(path, 0) + 1
        try:
            yield self._copies[path]
        finally:
            self._users[path] -= 1
            self._remove_unused(but=path)

    def close(self) -> None:
        """Remove the copies."""
        self._copies.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _remove_unused(self, but: Path | None = None) -> None:
        for path, copy in list(self._copies.items()):
            if path != but and not self._users[path]:
                copy.unlink()
                del self._copies[path]

    def _unpack(self, path: Path) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="selavpr-bag-")
        copy = Path(self._folder.name) / path.name.removesuffix(_packing(path))
        try:
            with path.open("rb") as packed, copy.open("wb") as target:
                if not _copy_unpacked(packed, target):
                    self.cut.add(path)
        except OSError as error:
            raise BagError(
                f"{path}: cannot be unpacked into {self._folder.name} ({error.strerror}); set "
                "TMPDIR to a folder with room for it"
            ) from None
        self._copies[path] = copy


def _copy_unpacked(packed: BinaryIO, target: BinaryIO) -> bool:
    """Write what can be decompressed; False when the end is missing or damaged."""
    decompressor = zstd.ZstdDecompressor()
    ended = False
    piece = packed.read(_PIECE)
    while piece:
        ended = False
        try:
            while True:
                target.write(decompressor.decompress(piece, 4 * _PIECE))
                if decompressor.eof or decompressor.needs_input:
                    break
                piece = b""
        except zstd.ZstdError:
            return False
        piece = b""
        if decompressor.eof:  # another frame may follow
            ended = True
            piece = decompressor.unused_data
            decompressor = zstd.ZstdDecompressor()
        piece = piece or packed.read(_PIECE)
    return ended


def _packing(path: Path) -> str:
    return path.suffix if path.suffix in _COMPRESSED else ""


def _is_storage(path: Path) -> bool:
    name = path.name.removesuffix(_packing(path))
    return path.is_file() and name.endswith(_STORAGE)


def _what_else(folder: Path) -> str:
    """What to do with a folder that is no bag."""
    bags = sorted(entry.name for entry in folder.glob("*.bag"))
    if bags:
        return f"is a folder of ROS 1 bags; give the files themselves: {', '.join(bags)}"
    folders = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir()
        and ((entry / METADATA).exists() or any(_is_storage(file) for file in entry.iterdir()))
    )
    if folders:
        return f"is a folder of bags; give the bags themselves: {', '.join(folders)}"
    return f"holds no bag: neither {METADATA} nor .mcap or .db3 files are in it"


def _read_metadata(path: Path) -> Metadata:
    try:
        content = YAML(typ="safe").load(path.read_text("utf-8"))
        information = content["rosbag2_bagfile_information"]
        topics = [
            (
                _checked(topic["topic_metadata"]["name"], str),
                _checked(topic["topic_metadata"]["type"], str),
                _checked(topic["message_count"], int),
            )
            for topic in information["topics_with_message_count"]
        ]
        files = [_checked(name, str) for name in information["relative_file_paths"]]
        distribution = information.get("ros_distro")
    except OSError as error:
        raise DamagedError(f"{error.strerror}") from None
    except KeyError as error:
        raise DamagedError(f"{error.args[0]} is missing") from None
    except (YAMLError, ValueError, TypeError, AttributeError):
        raise DamagedError("it is not the YAML of rosbag2") from None
    if not files:
        raise DamagedError("it names no files")
    return Metadata(files, topics, distribution if isinstance(distribution, str) else None)


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value
