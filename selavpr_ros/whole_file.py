"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from selavpr_core.errors import MapError, StorageError
from selavpr_core.place_map.manifest import MANIFEST_NAME, read_manifest
from selavpr_core.storage.durable import publish


@contextmanager
def whole_file(output: Path) -> Iterator[TextIO]:
    """Write a text file in UTF-8; it takes its name, or an old one's place, when the block ends.

    An exception in the block leaves what there was before. Lone surrogates, as of a path that is
    no UTF-8, become question marks.

    Raises:
        StorageError: the file cannot be written, or would take the place of a place map's own, of
            a device or of a pipe.
    """
    target = _target(output)
    temporary = target.with_name(f".{target.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            yield file
        publish(temporary, target)
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # a name that cannot be written cannot be removed either
            temporary.unlink(missing_ok=True)


def refuse_unwritable(output: Path) -> None:
    """Refuse what `whole_file` would, before the work whose result is to be written.

    Raises:
        StorageError: as `whole_file`, but for what only writing tells, as a full disk.
    """
    _target(output)


def _target(output: Path) -> Path:
    """Return the file behind links; StorageError where it is something not to be replaced."""
    try:
        target = output.resolve()  # a link stays one
        if output.is_dir():
            problem = "it is a folder"
        elif output.exists() and not output.is_file():
            problem = "it is no regular file"
        elif target.is_file() and _is_of_a_map(target):
            problem = "it is a part of a place map"
        elif not target.parent.is_dir():
            problem = f"there is no folder {output.parent}"
        elif not os.access(target.parent, os.W_OK | os.X_OK):
            problem = f"{output.parent} is read-only"
        else:
            return target
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror or error}") from error
    except RuntimeError as error:  # links in a circle, before Python 3.13
        raise StorageError(f"{output} cannot be written: {error}") from error
    raise StorageError(f"{output} cannot be written: {problem}; give another name")


def _is_of_a_map(file: Path) -> bool:
    for folder in (file.parent, file.parent.parent):
        if (folder / MANIFEST_NAME).is_file():
            try:
                names = [MANIFEST_NAME, *read_manifest(folder).files()]
            except MapError:  # another program's file of that name
                continue
            if file in [folder / name for name in names]:
                return True
    return False
