from __future__ import annotations

from pathlib import Path

import pytest

from selavpr_core.errors import MapError, StorageError
from selavpr_core.place_map.write_errors import write_errors_named


def test_errors_of_the_file_system_name_the_map() -> None:
    with (
        pytest.raises(MapError, match="map campus cannot be written: No space left on device"),
        write_errors_named(Path("campus")),
    ):
        raise OSError(28, "No space left on device", "segments/x")


def test_what_another_writer_keeps_is_an_error_of_the_map() -> None:
    with pytest.raises(MapError, match="another program"), write_errors_named(Path("campus")):
        raise StorageError("another program is writing to campus")


def test_what_is_no_map_is_called_by_its_name() -> None:
    with (
        pytest.raises(MapError, match="the files in /tmp cannot be written: Not today"),
        write_errors_named(Path("/tmp"), "the files in"),
    ):
        raise OSError(5, "Not today")
