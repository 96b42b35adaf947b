"""The place map on disk: writing, loading, merging (format: docs/map_format.md)."""

from selavpr_core.place_map.autosave import Autosave
from selavpr_core.place_map.calibration import Calibration
from selavpr_core.place_map.info import map_info
from selavpr_core.place_map.manifest import Manifest, ModelInfo, SegmentInfo, read_manifest
from selavpr_core.place_map.merging import merge_maps
from selavpr_core.place_map.place_map import PlaceMap
from selavpr_core.place_map.places import Place
from selavpr_core.place_map.segment_writer import SegmentWriter
from selavpr_core.place_map.session import Session
from selavpr_core.place_map.writer import MapWriter

__all__ = [
    "Autosave",
    "Calibration",
    "Manifest",
    "MapWriter",
    "ModelInfo",
    "Place",
    "PlaceMap",
    "SegmentInfo",
    "SegmentWriter",
    "Session",
    "map_info",
    "merge_maps",
    "read_manifest",
]
