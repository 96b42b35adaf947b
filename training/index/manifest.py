"""index.json: what an index is made of, and the version that its readers check."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from training.errors import DatasetError

VERSION = 1
MANIFEST = "index.json"
TABLE = "index.parquet"
REPORT_TEXT = "report.txt"
REPORT_JSON = "report.json"

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the dataset's root, with forward slashes
        ("dataset", pa.string()),
        ("city", pa.string()),
        ("group", pa.int32()),  # numbered from 0 over the whole index
        ("place", pa.int32()),  # the label: numbered from 0 over the whole index
        ("easting", pa.float64()),  # metres; NaN: unknown
        ("northing", pa.float64()),
        ("zone", pa.string()),  # "10S"; "": unknown
        ("heading", pa.float32()),  # degrees, in the dataset's own sense; NaN: unknown
        ("date", pa.string()),  # "2014-06", "2014"; "": unknown
    ]
)


@dataclass(frozen=True)
class Group:
    """Places that may share a batch.

    Attributes:
        name: "msls/amman/0.1.1", or "gsv-cities/London" for a dataset with places of its own.
        dataset, city: where its places lie.
        places, images: how many.
    """

    name: str
    dataset: str
    city: str
    places: int
    images: int


@dataclass(frozen=True)
class Manifest:
    """An index without its rows.

    Attributes:
        roots: folder of each dataset, absolute; the paths of its images are relative to it.
        settings: of each dataset: how it was read and divided into places.
        groups: in the order of their numbers.
        fingerprint: sha256 of the table's bytes.
    """

    roots: dict[str, str]
    settings: dict[str, dict[str, Any]]
    groups: list[Group]
    fingerprint: str
    version: int = field(default=VERSION)

    def write(self, folder: Path) -> None:
        """Write index.json."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read index.json.

        Raises:
            DatasetError: there is none, it is damaged, or a version that is not known here.
        """
        path = folder / MANIFEST
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DatasetError(
                f"{folder} is no index of places ({MANIFEST} is missing):"
                " make one with python -m training.prepare"
            ) from error
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be read ({error}): make the index anew") from error
        version = entries.get("version") if isinstance(entries, dict) else None
        if version != VERSION:
            raise DatasetError(
                f"the index {folder} has version {version!r}, and this program knows {VERSION}:"
                " make it anew with python -m training.prepare"
            )
        try:
            groups = [Group(**group) for group in entries.pop("groups")]
            return cls(groups=groups, **entries)
        except (KeyError, TypeError) as error:
            raise DatasetError(f"{path} is damaged ({error}): make the index anew") from error


def file_fingerprint(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
