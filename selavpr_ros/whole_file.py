"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from selavpr_core.errors import StorageError
from selavpr_core.storage.durable import publish


@contextmanager
def whole_file(output: Path) -> Iterator[TextIO]:
    """Write a text file in UTF-8; it takes its name, or an old one's place, when the block ends.

    An exception in the block leaves what there was before. Lone surrogates, as of a path that is
    no UTF-8, become question marks.

    Raises:
        StorageError: the file cannot be written.
    """
    temporary = output.with_name(f".{output.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            yield file
        publish(temporary, output)
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
