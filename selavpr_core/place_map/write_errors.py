"""What may go wrong when a map is written, in the map's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selavpr_core.errors import MapError, StorageError


@contextmanager
def write_errors_named(path: Path, what: str = "the map") -> Iterator[None]:
    """Turn what the file system, or another writer, refuses into a MapError of one line."""
    try:
        yield
    except StorageError as error:
        raise MapError(str(error)) from error
    except OSError as error:
        raise MapError(f"{what} {path} cannot be written: {error.strerror or error}") from error
