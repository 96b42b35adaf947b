"""A map, and a drive through it, as one HTML page to look at."""

from selavpr_ros.map_view.drive import Drive, answered_drive
from selavpr_ros.map_view.page import write_page

__all__ = ["Drive", "answered_drive", "write_page"]
