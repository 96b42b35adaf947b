from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.place_map import PlaceMap
from selavpr_ros.map_export import export_map
from selavpr_ros.map_export.tum import tum_lines


def test_tum_is_in_the_order_of_stamps(place_map: PlaceMap, tmp_path: Path) -> None:
    export_map(place_map, tmp_path / "map.tum", "tum")
    lines = (tmp_path / "map.tum").read_text().splitlines()
    assert lines[0].startswith("# timestamp tx ty tz qx qy qz qw")
    rows = np.array([[float(word) for word in line.split()] for line in lines[1:]])
    order = place_map.stamps.argsort()
    stamps = [line.split()[0] for line in lines[1:]]
    assert [int(stamp.replace(".", "")) for stamp in stamps] == place_map.stamps[order].tolist()
    np.testing.assert_allclose(rows[:, 1:4], place_map.positions[order], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows[:, 4:], axis=1), 1, atol=1e-8)
    headings = np.nan_to_num(place_map.headings[order])
    np.testing.assert_allclose(2 * np.arctan2(rows[:, 6], rows[:, 7]), headings, atol=1e-6)
    assert (rows[:, 4:6] == 0).all()


class OnePlace:
    """What is read of a map, which itself would take a file for each example."""

    def __init__(self, stamp: int, heading: float) -> None:
        self.stamps = np.array([stamp])
        self.positions = np.array([[1.0, -2.0, 3.0]])
        self.headings = np.array([heading], np.float32)


@settings(deadline=None)
@given(st.integers(0, 2**62), st.floats(-3.2, 3.2) | st.just(float("nan")))
def test_no_nanosecond_is_lost_and_the_quaternion_turns_by_the_heading(
    stamp: int, heading: float
) -> None:
    _, line = tum_lines(OnePlace(stamp, heading))  # type: ignore[arg-type]
    seconds, *numbers = line.split()
    assert Decimal(seconds) * 10**9 == stamp
    x, y, z, w = map(float, numbers[3:])
    ahead = np.array([w**2 + x**2 - y**2 - z**2, 2 * (x * y + w * z)])  # where x points to
    turned = 0.0 if np.isnan(heading) else float(np.float32(heading))
    np.testing.assert_allclose(ahead, [np.cos(turned), np.sin(turned)], atol=1e-8)
