"""From recorded bags to a place map: geotagging, keyframes, and the build itself."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selavpr_ros.mapping.builder import build_map as build_map
    from selavpr_ros.mapping.settings import MappingSettings as MappingSettings
    from selavpr_ros.mapping.summary import BagSummary as BagSummary
    from selavpr_ros.mapping.summary import MapSummary as MapSummary

_HOMES = {
    "build_map": "selavpr_ros.mapping.builder",
    "MappingSettings": "selavpr_ros.mapping.settings",
    "BagSummary": "selavpr_ros.mapping.summary",
    "MapSummary": "selavpr_ros.mapping.summary",
}

__all__ = ["BagSummary", "MapSummary", "MappingSettings", "build_map"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the command line needs the settings alone.

    The builder imports torch, which takes seconds.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
