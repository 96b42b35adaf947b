"""Places of a map for other programs: GeoJSON, KML, TUM."""

from selavpr_ros.map_export.export import FORMATS, Format, export_map, format_of

__all__ = ["FORMATS", "Format", "export_map", "format_of"]
