"""The manifest of a place map, `map.json`: what the map is made of, replaced atomically."""

from __future__ import annotations

import json
import logging
import math
import re
import reprlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from selavpr_core.camera import CameraModel
from selavpr_core.errors import GeodesyError, MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.calibration import Calibration
from selavpr_core.place_map.tensor_file import FileDigest
from selavpr_core.storage.durable import publish

if TYPE_CHECKING:
    from selavpr_core.describer import Describer

MANIFEST_NAME = "map.json"
FORMAT = "selavpr place map"
VERSION = 2
"""What is written wherever it suffices, so that older programs can read it."""
NEWEST_VERSION = 3
"""What a segment's camera needs, and the last that can be read."""

_JSON_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a whole number",
    bool: "true or false",
}

_NO_TEXT = re.compile("[\ud800-\udfff]")  # halves of a character, which JSON can hold

_T = TypeVar("_T")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelInfo:
    """The model that described a map's places; queries must be described by the same one.

    Attributes:
        fingerprint: 64 hex digits over weights, settings and preprocessing.
        source: what the weights were loaded from: a name, a path or "random:PRESET".
        preset: name of the model's preset.
        pretrained: False for untrained weights.
        descriptor_dim: dimension of the float descriptors, None without the float branch.
        code_bytes: bytes of a code, None without the hash branch.
    """

    fingerprint: str
    source: str
    preset: str
    pretrained: bool
    descriptor_dim: int | None
    code_bytes: int | None

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.fingerprint):
            raise MapError(f"a fingerprint has 64 hex digits, not {self.fingerprint!r}")
        if self.descriptor_dim is None and self.code_bytes is None:
            raise MapError("the model has neither codes nor descriptors: a map needs one of them")
        for size in (self.descriptor_dim, self.code_bytes):
            if size is not None and size < 1:
                raise MapError(f"a code or descriptor cannot have {size} entries")

    @classmethod
    def from_describer(cls, describer: Describer) -> ModelInfo:
        """Return what a map stores about the describer that makes it."""
        return cls(
            fingerprint=describer.fingerprint,
            source=describer.source,
            preset=describer.preset,
            pretrained=describer.pretrained,
            descriptor_dim=describer.descriptor_dim,
            code_bytes=describer.code_bytes,
        )

    @property
    def short_fingerprint(self) -> str:
        """The first 12 digits of the fingerprint, for messages."""
        return self.fingerprint[:12]


@dataclass(frozen=True)
class StoredFile:
    """A file of the map: path relative to the map's folder, size in bytes, SHA-256."""

    file: str
    bytes: int
    sha256: str

    @classmethod
    def at(cls, file: str, digest: FileDigest) -> StoredFile:
        """Return the entry of a file with this size and checksum."""
        return cls(file, digest.bytes, digest.sha256)


@dataclass(frozen=True)
class SegmentInfo:
    """What the manifest says about a segment, the places of one bag or mapping session.

    Attributes:
        name: unique in the map.
        source: where the places came from, for people: usually the bag's path.
        created: when the segment was finished, ISO 8601 in UTC.
        count: number of places, at least 1.
        first_stamp, last_stamp: smallest and largest stamp, ns since the epoch.
        data: the file with codes, descriptors and poses.
        thumbnails: the file with the thumbnails, None if none were stored.
        camera: the one that took the pictures of all places, in their full size; None if unknown.
    """

    name: str
    source: str
    created: str
    count: int
    first_stamp: int
    last_stamp: int
    data: StoredFile
    thumbnails: StoredFile | None
    camera: CameraModel | None = None

    @property
    def bytes(self) -> int:
        """Size of the data file, without the thumbnails."""
        return self.data.bytes

    def files(self) -> tuple[StoredFile, ...]:
        """Return its files: the data, and the thumbnails where some were stored."""
        return (self.data,) if self.thumbnails is None else (self.data, self.thumbnails)


@dataclass(frozen=True)
class Manifest:
    """Everything in `map.json`. version: of the file that was read, whatever is written."""

    model: ModelInfo
    datum: Datum | None
    segments: tuple[SegmentInfo, ...]
    calibration: Calibration | None = None
    version: int = VERSION

    @property
    def count(self) -> int:
        """Number of places in the map."""
        return sum(segment.count for segment in self.segments)

    def files(self) -> set[str]:
        """Return the relative paths of all files that belong to the map."""
        return {stored.file for segment in self.segments for stored in segment.files()}


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of the map in a folder.

    A camera that no lens has is left out, with a warning: only closures need it, not the places.

    Raises:
        MapError: no such map, not a map, another version, or a damaged manifest.
    """
    path = folder / MANIFEST_NAME
    try:
        text = path.read_bytes().decode()
        entries = json.loads(text)
    except FileNotFoundError:
        if folder.is_dir():
            problem = f"{folder} is not a place map: it has no {MANIFEST_NAME}"
        else:
            problem = f"there is no place map at {folder}"
        raise MapError(f"{problem}; give the folder that `selavpr build-map` wrote") from None
    except NotADirectoryError:
        raise MapError(f"{folder} is a file, but a place map is a folder") from None
    except (ValueError, RecursionError) as error:
        raise MapError(f"{path} is damaged: it is not JSON ({error}); restore a copy") from None
    except OSError as error:
        raise MapError(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(entries, dict) or entries.get("format") != FORMAT:
        raise MapError(f"{path} is not the manifest of a place map")
    version = entries.get("version")
    if type(version) is not int or version < 1:
        raise MapError(f"{path} is damaged: version {version!r} is no version of the format")
    if version > NEWEST_VERSION:
        raise MapError(
            f"{folder} has map format {version}, newer than this program's {NEWEST_VERSION}: "
            "update selavpr_ros"
        )
    try:
        return _parse(entries, path)
    except (ValueError, MapError, GeodesyError) as error:
        raise MapError(f"{path} is damaged: {error}") from None


def write_manifest(folder: Path, manifest: Manifest, temporary: Path) -> None:
    """Replace the manifest atomically: written aside at `temporary`, forced to disk, renamed."""
    cameras = any(segment.camera is not None for segment in manifest.segments)
    version = NEWEST_VERSION if cameras else VERSION
    entries = {
        "format": FORMAT,
        "version": version,
        "datum": None if manifest.datum is None else manifest.datum.to_json(),
        "model": dict(vars(manifest.model)),
        "segments": [_segment_entries(segment, cameras) for segment in manifest.segments],
        "calibration": None if manifest.calibration is None else dict(vars(manifest.calibration)),
    }
    temporary.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", "utf-8")
    publish(temporary, folder / MANIFEST_NAME)


def check_same_model(path: Path, old: ModelInfo, new: ModelInfo) -> None:
    """Raise MapError unless the map at `path`, made by `old`, can take what `new` describes."""
    if old.fingerprint != new.fingerprint:
        raise MapError(
            f"{path} was made with other weights ({old.source}, fingerprint "
            f"{old.short_fingerprint}) than these ({new.source}, {new.short_fingerprint}): "
            f"pass --weights {old.source}, or write a new map if those have changed since"
        )
    if (old.descriptor_dim, old.code_bytes) != (new.descriptor_dim, new.code_bytes):
        raise MapError(f"{path} holds other descriptors or codes than the model gives")


def _segment_entries(segment: SegmentInfo, cameras: bool) -> dict[str, Any]:
    entries = dict(vars(segment))
    entries["data"] = dict(vars(segment.data))
    if segment.thumbnails is not None:
        entries["thumbnails"] = dict(vars(segment.thumbnails))
    camera = entries.pop("camera")
    if cameras:
        entries["camera"] = None if camera is None else dict(vars(camera))
    return entries


@lru_cache(maxsize=1000)
def _warn_once(message: str) -> None:
    """Log a warning the first time: every command reads a manifest more than once."""
    _logger.warning(message)


def _parse(entries: dict[str, Any], path: Path) -> Manifest:
    whole, expected = "the manifest", {"format", "version", "datum", "model", "segments"}
    calibration = None
    if entries["version"] > 1:
        expected.add("calibration")
        calibration = _optional(entries, "calibration", dict, whole)
    _check_keys(entries, expected, whole)
    datum = _optional(entries, "datum", dict, whole)
    cameras = entries["version"] > 2
    segments = [
        _parse_segment(entry, number, cameras, path)
        for number, entry in enumerate(_field(entries, "segments", list, whole), start=1)
    ]
    for name, count in Counter(segment.name for segment in segments).items():
        if count > 1:
            raise ValueError(f"two segments have the same name {name!r}")
    manifest = Manifest(
        model=_parse_model(_field(entries, "model", dict, whole)),
        datum=None if datum is None else _parse_datum(datum),
        segments=tuple(segments),
        calibration=None if calibration is None else _parse_calibration(calibration),
        version=entries["version"],
    )
    if len(manifest.files()) != sum(len(segment.files()) for segment in segments):
        raise ValueError("two segments have the same file")
    return manifest


def _parse_model(entries: dict[str, Any]) -> ModelInfo:
    where = "the model"
    _check_keys(entries, set(ModelInfo.__dataclass_fields__), where)
    return ModelInfo(
        fingerprint=_field(entries, "fingerprint", str, where),
        source=_field(entries, "source", str, where),
        preset=_field(entries, "preset", str, where),
        pretrained=_field(entries, "pretrained", bool, where),
        descriptor_dim=_optional(entries, "descriptor_dim", int, where),
        code_bytes=_optional(entries, "code_bytes", int, where),
    )


def _parse_datum(entries: dict[str, Any]) -> Datum:
    for name in ("latitude", "longitude", "altitude"):
        _number(entries, name, "the datum")
    return Datum.from_json(entries)


def _parse_calibration(entries: dict[str, Any]) -> Calibration:
    where = "the calibration"
    _check_keys(entries, set(Calibration.__dataclass_fields__), where)

    def number(name: str) -> float:
        return _number(entries, name, where)

    return Calibration(
        similarity=number("similarity"),
        margin=number("margin"),
        wanted_precision=number("wanted_precision"),
        precision=number("precision"),
        precision_bound=number("precision_bound"),
        recall=number("recall"),
        queries=_field(entries, "queries", int, where),
        outside=_field(entries, "outside", int, where),
        radius=number("radius"),
        mode=_field(entries, "mode", str, where),
        candidates=_field(entries, "candidates", int, where),
        places=_field(entries, "places", int, where),
        source=_field(entries, "source", str, where),
        created=_field(entries, "created", str, where),
    )


def _parse_segment(entries: object, number: int, cameras: bool, path: Path) -> SegmentInfo:
    """Return a segment of the manifest at `path`.

    number: from 1, what it is called where it has no name.
    """
    if not isinstance(entries, dict):
        raise ValueError(f"segment {number} is not an object")
    name = _field(entries, "name", str, f"segment {number}")
    where = f"segment {name!r}"
    expected = set(SegmentInfo.__dataclass_fields__) - (set() if cameras else {"camera"})
    _check_keys(entries, expected, where)
    thumbnails = _optional(entries, "thumbnails", dict, where)
    camera = _optional(entries, "camera", dict, where) if cameras else None
    segment = SegmentInfo(
        name=name,
        source=_field(entries, "source", str, where),
        created=_field(entries, "created", str, where),
        count=_field(entries, "count", int, where),
        first_stamp=_field(entries, "first_stamp", int, where),
        last_stamp=_field(entries, "last_stamp", int, where),
        data=_parse_stored(_field(entries, "data", dict, where), f"'data' of {where}"),
        thumbnails=(
            None if thumbnails is None else _parse_stored(thumbnails, f"'thumbnails' of {where}")
        ),
        camera=None if camera is None else _parse_camera(camera, f"the camera of {where}", path),
    )
    stamps_fit = -(2**63) <= segment.first_stamp <= segment.last_stamp < 2**63
    if segment.count < 1 or not stamps_fit:
        raise ValueError(f"{where} has impossible numbers")
    return segment


def _parse_stored(entries: dict[str, Any], where: str) -> StoredFile:
    _check_keys(entries, set(StoredFile.__dataclass_fields__), where)
    stored = StoredFile(
        file=_field(entries, "file", str, where),
        bytes=_field(entries, "bytes", int, where),
        sha256=_field(entries, "sha256", str, where),
    )
    relative = PurePosixPath(stored.file)
    # A map may come from elsewhere: it must not reach outside its own folder.
    inside = relative.parts and not relative.is_absolute() and ".." not in relative.parts
    if not inside or "\0" in stored.file:
        raise ValueError(f"'file' of {where} is {stored.file!r}, not a path inside the map")
    if stored.bytes < 0 or not re.fullmatch("[0-9a-f]{64}", stored.sha256):
        raise ValueError(f"{where} has an impossible size or checksum")
    return stored


def _parse_camera(entries: dict[str, Any], where: str, path: Path) -> CameraModel | None:
    """Return a camera; None, with a warning, for one that CameraModel refuses.

    Not every program judges cameras as strictly as this one: a map that has such a one is whole.
    """
    _check_keys(entries, set(CameraModel.__dataclass_fields__), where)
    distortion = _field(entries, "distortion", list, where)
    numbers = {name: _number(entries, name, where) for name in ("fx", "fy", "cx", "cy")}
    values = [_number({"distortion": value}, "distortion", where) for value in distortion]
    width, height = (_field(entries, name, int, where) for name in ("width", "height"))
    model = _field(entries, "model", str, where)
    try:
        return CameraModel(
            width,
            height,
            **numbers,
            distortion=tuple(values),
            model=model,  # type: ignore[arg-type]  # refused unless it is one of them
        )
    except ValueError as error:
        _warn_once(
            f"{path}: {where} is left out, and closures with its places have no rotation: {error}"
        )
        return None


def _check_keys(entries: Mapping[str, Any], expected: set[str], where: str) -> None:
    unknown = sorted(entries.keys() - expected)
    if unknown:
        raise ValueError(f"{where} has an unknown entry {unknown[0]!r}")


def _field(entries: Mapping[str, Any], name: str, kind: type[_T], where: str) -> _T:
    if name not in entries:
        raise ValueError(f"{name!r} of {where} is missing")
    value = entries[name]
    if type(value) is not kind:  # exactly: bool is an int to isinstance
        raise ValueError(f"{name!r} of {where} is {reprlib.repr(value)}, not {_JSON_NAMES[kind]}")
    if isinstance(value, str) and _NO_TEXT.search(value):
        raise ValueError(f"{name!r} of {where} is {reprlib.repr(value)}, which is no text")
    return value


def _optional(entries: Mapping[str, Any], name: str, kind: type[_T], where: str) -> _T | None:
    return None if entries.get(name, 0) is None else _field(entries, name, kind, where)


def _number(entries: Mapping[str, Any], name: str, where: str) -> float:
    if name not in entries:
        raise ValueError(f"{name!r} of {where} is missing")
    value = entries[name]
    if type(value) is not int and type(value) is not float:
        raise ValueError(f"{name!r} of {where} is {reprlib.repr(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name!r} of {where} is not finite")
    return number
