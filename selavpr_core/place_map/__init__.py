"""The place map on disk: writing, loading, merging (format: docs/map_format.md)."""

from selavpr_core.place_map.manifest import ModelInfo, SegmentInfo
from selavpr_core.place_map.place_map import PlaceMap
from selavpr_core.place_map.writer import MapWriter, SegmentWriter

__all__ = ["MapWriter", "ModelInfo", "PlaceMap", "SegmentInfo", "SegmentWriter"]
