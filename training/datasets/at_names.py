"""Images whose `@` names say where they were taken."""

from __future__ import annotations

import math

from training.datasets.file_names import ImageName, month, parse_image_name
from training.datasets.source import BAD_ENTRY, Candidate, Excluded
from training.errors import DatasetError


def candidate_or_reason(path: str, city: str) -> tuple[ImageName, Candidate] | Excluded:
    """Return what the name of an image says, or why it says nothing."""
    try:
        name = parse_image_name(path)
    except DatasetError as error:
        return Excluded(path, city, BAD_ENTRY, str(error), faulty=True)
    return name, Candidate(
        path,
        city,
        easting=name.easting,
        northing=name.northing,
        zone=name.zone or "",
        heading=math.nan if name.heading is None else name.heading,
        date=month(name.timestamp),
    )
