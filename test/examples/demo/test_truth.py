from __future__ import annotations

import numpy as np
import pytest

from examples.demo.errors import DemoError
from examples.demo.topics import Topics
from examples.demo.truth import Truth
from selavpr_core.geodesy import Datum
from test.bags_on_disk import write_bag

DATUM = Datum.at(47.05, 8.31, 440.0)
SECOND = 1_000_000_000


@pytest.fixture
def by_fixes(tmp_path):
    latitude, longitude, _ = DATUM.to_wgs84(np.array([[4.0 * n, -3.0 * n, 0] for n in range(10)]))
    return write_bag(
        tmp_path / "fixes",
        fixes=[(n * SECOND, latitude[n], longitude[n], 440.0) for n in range(10)],
    )


def test_positions_come_from_the_fixes_around_a_stamp(by_fixes):
    truth = Truth.of(by_fixes, DATUM, Topics())
    assert truth.at(int(2.5 * SECOND)) == pytest.approx([10.0, -7.5], abs=1e-3)
    assert truth.line == pytest.approx(np.array([[4.0 * n, -3.0 * n] for n in range(10)]), abs=1e-3)


def test_outside_the_track_nothing_is_claimed(by_fixes):
    assert Truth.of(by_fixes, DATUM, Topics()).at(60 * SECOND) is None


def test_a_map_without_gps_takes_odometry(tmp_path):
    bag = write_bag(tmp_path / "odom", odometry=[(n * SECOND, 2.0 * n, 1.0, 0.0) for n in range(5)])
    assert Truth.of(bag, None, Topics()).at(3 * SECOND // 2) == pytest.approx([3.0, 1.0])


def test_a_bag_that_does_not_fit_the_map_is_explained(by_fixes, tmp_path):
    with pytest.raises(DemoError, match="positions from odometry, so the query bag must"):
        Truth.of(by_fixes, None, Topics())
    odometry = write_bag(tmp_path / "odom", odometry=[(SECOND, 0.0, 0.0, 0.0)])
    with pytest.raises(DemoError, match="positions from GPS fixes, so the query bag must"):
        Truth.of(odometry, DATUM, Topics())
