"""From recorded bags to a place map: geotagging, keyframes, and the build itself."""

from selavpr_ros.mapping.builder import build_map
from selavpr_ros.mapping.settings import MappingSettings
from selavpr_ros.mapping.summary import BagSummary, MapSummary

__all__ = ["BagSummary", "MapSummary", "MappingSettings", "build_map"]
