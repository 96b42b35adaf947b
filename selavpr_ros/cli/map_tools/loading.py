"""Opening a map with a bar: gigabytes take a while to verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selavpr_core.place_map import PlaceMap


def verifying_bar() -> Any:
    """Return the bar that is told the bytes of a map as they are verified."""
    from selavpr_ros.progress import progress_bar

    return progress_bar("verifying", None, "B", scaled=True)


def loaded(path: Path | str) -> PlaceMap:
    """Open the map in a folder.

    Raises:
        MapError: as PlaceMap.load.
    """
    from selavpr_core.place_map import PlaceMap

    with verifying_bar() as bar:
        return PlaceMap.load(path, progress=bar.update)
