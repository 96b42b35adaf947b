"""TUM trajectories, as evo and the TUM RGB-D tools read them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.segment import Progress


def tum_lines(place_map: PlaceMap, progress: Progress = lambda _: None) -> Iterator[str]:
    """Yield the file: seconds, position and quaternion of each place, in the order of stamps.

    Positions are in the map frame, metres. The quaternion turns about z by the heading, x being
    where the camera looks; it is the identity where the heading is unknown.
    `progress` is called with 1 after each place.
    """
    yield "# timestamp tx ty tz qx qy qz qw\n"
    for place in np.argsort(place_map.stamps, kind="stable").tolist():
        x, y, z = place_map.positions[place].tolist()
        heading = float(place_map.headings[place])
        half = 0.0 if math.isnan(heading) else 0.5 * heading
        seconds = Decimal(int(place_map.stamps[place])).scaleb(-9)
        yield (
            f"{seconds:.9f} {x:.6f} {y:.6f} {z:.6f} 0 0 {math.sin(half):.9f} {math.cos(half):.9f}\n"
        )
        progress(1)
