"""What the map tools share: opening a map with a bar, and telling that a new one is there."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selavpr_ros.cli.stopping import told_when_stopped

if TYPE_CHECKING:
    from selavpr_core.place_map import PlaceMap


def verifying_bar(path: Path | str) -> Any:
    """Return the bar that is told the bytes of the map in a folder as they are verified.

    Gigabytes take a while.

    Raises:
        MapError: as read_manifest.
    """
    from selavpr_core.place_map import read_manifest
    from selavpr_ros.progress import progress_bar

    stored = [file for segment in read_manifest(Path(path)).segments for file in segment.files()]
    # Thumbnails may have been left behind.
    total = sum(file.bytes for file in stored if os.path.exists(os.path.join(path, file.file)))
    return progress_bar("verifying", total, "B", scaled=True)


def loaded(path: Path | str) -> PlaceMap:
    """Open the map in a folder.

    Raises:
        MapError: as PlaceMap.load.
    """
    from selavpr_core.place_map import PlaceMap

    with verifying_bar(path) as bar:
        return PlaceMap.load(path, progress=bar.update)


def told_if_complete(output: Path) -> AbstractContextManager[None]:
    """Tell when the block, which makes a map at `output`, is stopped once that is there."""
    from selavpr_core.place_map.manifest import MANIFEST_NAME

    def complete() -> str:
        there = (output / MANIFEST_NAME).exists()
        return f"the map {output} is complete, only the summary of it is missing" if there else ""

    return told_when_stopped(complete)
