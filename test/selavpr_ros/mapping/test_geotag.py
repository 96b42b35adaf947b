from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_core.errors import GeodesyError
from selavpr_core.geodesy import Datum
from selavpr_ros.errors import BagError
from selavpr_ros.mapping.geotag import Pose, first_datum, tag_by_fixes, tag_by_poses
from selavpr_ros.mapping.recording import Fixes, Poses
from selavpr_ros.mapping.settings import MappingSettings
from selavpr_ros.mapping.track import Drop

SECOND = 1_000_000_000
nan = math.nan


def fixes(rows: list[tuple[float, float, float, float, float]]) -> Fixes:
    """Rows of (seconds, latitude, longitude, altitude, sigma)."""
    table = np.array(rows, dtype=float).reshape(-1, 5)
    stamps = np.round(table[:, 0] * SECOND).astype(np.int64)
    return Fixes(stamps, table[:, 1], table[:, 2], table[:, 3], table[:, 4])


def northwards(count: int = 20, sigma: float = 1.0, speed: float = 5.0) -> Fixes:
    """One fix a second, driving north at `speed` from 55.7 N 13.2 E."""
    return fixes([(t, 55.7 + speed * t / 111_340, 13.2, 40, sigma) for t in range(count)])


def poses(count: int = 20, yaw: float = 0.5, yaw_sigma: float = nan, sigma: float = nan) -> Poses:
    """A drive along x at 2 m/s that faces `yaw`."""
    times = np.arange(count)
    positions = np.stack([2.0 * times, 0.0 * times, 0.0 * times], axis=1)
    column = np.ones(count)
    return Poses(
        times * SECOND, positions, yaw * column, sigma * column, yaw_sigma * column, "odom"
    )


def test_the_datum_is_the_first_fix_that_passes_the_gates() -> None:
    recorded = fixes(
        [
            (0, nan, nan, nan, nan),
            (1, 10.0, 9.0, 5.0, 50.0),
            (2, 55.7, 13.2, 41.5, 3.0),
            (3, 55.8, 13.2, 41.5, 1.0),
        ]
    )
    assert first_datum(recorded, MappingSettings()) == Datum.at(55.7, 13.2, 41.5)
    assert first_datum(recorded, MappingSettings(max_sigma=60)) == Datum.at(10.0, 9.0, 5.0)


def test_a_datum_without_altitude_lies_on_the_ellipsoid() -> None:
    assert first_datum(fixes([(0, 55.7, 13.2, nan, 1)]), MappingSettings()).altitude == 0


def test_fixes_without_covariance_have_the_assumed_one() -> None:
    recorded = northwards(sigma=nan)
    datum = first_datum(recorded, MappingSettings())
    plain = tag_by_fixes(recorded, None, datum, MappingSettings()).tag(3 * SECOND)
    told = tag_by_fixes(recorded, None, datum, MappingSettings(assumed_sigma=2.0)).tag(3 * SECOND)
    assert isinstance(plain, Pose)
    assert isinstance(told, Pose)
    assert (plain.position_sigma, told.position_sigma) == (5.0, 2.0)
    with pytest.raises(BagError, match="--max-sigma"):
        tag_by_fixes(recorded, None, datum, MappingSettings(max_sigma=4.0))


def test_altitude_is_kept_where_it_is_known() -> None:
    recorded = fixes([(0, 55.7, 13.2, 41.5, 1), (1, 55.7, 13.2, nan, 1), (2, 55.7, 13.2, 44.0, 1)])
    tagger = tag_by_fixes(recorded, None, Datum.at(55.7, 13.2, 40.0), MappingSettings())
    heights = [tagger.track.positions[i, 2] for i in range(3)]
    assert heights == [1.5, 0.0, 4.0]


def test_without_orientation_the_heading_is_the_direction_of_travel() -> None:
    recorded = northwards()
    datum = first_datum(recorded, MappingSettings())
    found = tag_by_fixes(recorded, None, datum, MappingSettings()).tag(round(9.5 * SECOND))
    assert isinstance(found, Pose)
    assert found.heading_source == "track"
    # True north lies clockwise of grid north here, 1.8 degrees west of the zone's meridian.
    north = math.pi / 2 + datum.convergence(55.7, 13.2)
    assert found.heading == pytest.approx(north, abs=2e-4)
    assert datum.zone == 33
    assert math.degrees(datum.convergence(55.7, 13.2)) == pytest.approx(-1.49, abs=0.01)


def test_orientation_goes_before_the_direction_of_travel() -> None:
    """Odometry of a robot that drives sideways: the body faces 0.5 rad right of its way."""
    recorded = northwards(60, speed=2.0, sigma=0.5)
    datum = first_datum(recorded, MappingSettings())
    found = tag_by_fixes(recorded, poses(60, yaw=-0.5), datum, MappingSettings()).tag(30 * SECOND)
    assert isinstance(found, Pose)
    assert found.heading_source == "pose"
    north = math.pi / 2 + datum.convergence(55.7, 13.2)
    assert found.heading == pytest.approx(north - 0.5, abs=0.02)


def test_odometry_that_measures_other_distances_is_not_believed() -> None:
    recorded = northwards(60, speed=5.0)
    datum = first_datum(recorded, MappingSettings())
    found = tag_by_fixes(recorded, poses(60, yaw=-0.5), datum, MappingSettings()).tag(30 * SECOND)
    assert isinstance(found, Pose)
    assert found.heading_source == "track"


def test_a_heading_less_certain_than_the_limit_is_unknown() -> None:
    recorded = northwards(sigma=3.0)
    datum = first_datum(recorded, MappingSettings())
    for limit, source in ((30, "track"), (5, "unknown")):
        settings = MappingSettings(max_heading_sigma=math.radians(limit))
        found = tag_by_fixes(recorded, None, datum, settings).tag(10 * SECOND)
        assert isinstance(found, Pose)
        assert found.heading_source == source
        assert math.isnan(found.heading) == math.isnan(found.heading_sigma) == (source == "unknown")


def test_a_receiver_that_strays_to_another_continent_has_no_fix_then() -> None:
    recorded = northwards(11)
    recorded.longitudes[5] = -120.0
    datum = Datum.at(55.7, 13.2)
    tagger = tag_by_fixes(recorded, None, datum, MappingSettings())
    assert len(tagger.track) == 10
    assert isinstance(tagger.tag(5 * SECOND), Pose)  # a gap of 2 s is bridged
    assert (
        tag_by_fixes(recorded, None, datum, MappingSettings(max_gap=1.5)).tag(5 * SECOND)
        is Drop.NO_FIX
    )


def test_a_drive_outside_the_zone_of_the_map_is_refused() -> None:
    with pytest.raises(GeodesyError, match="zone 10"):
        tag_by_fixes(northwards(), None, Datum.at(37.7, -122.4), MappingSettings())


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (fixes([]), "none of 0 NavSatFix messages has a fix"),
        (fixes([(0, nan, nan, nan, nan)]), "--position-from pose"),
        (fixes([(0, 55.7, 13.2, 0, 12.5)]), "the best to 12.5 m; raise --max-sigma"),
    ],
)
def test_a_bag_without_a_good_fix_is_refused(recorded: Fixes, said: str) -> None:
    with pytest.raises(BagError, match=said):
        first_datum(recorded, MappingSettings())
    with pytest.raises(BagError, match=said):
        tag_by_fixes(recorded, None, Datum.at(55.7, 13.2), MappingSettings())


def test_without_gps_the_pose_itself_is_the_place() -> None:
    found = tag_by_poses(poses(yaw=2.5, yaw_sigma=0.2, sigma=0.3), MappingSettings()).tag(
        round(2.25 * SECOND)
    )
    assert isinstance(found, Pose)
    np.testing.assert_allclose(found.position, [4.5, 0, 0])
    assert found.position_sigma == pytest.approx(0.3)
    assert (found.heading, found.heading_sigma) == pytest.approx((2.5, 0.2))
    assert found.heading_source == "pose"


def test_poses_without_orientation_face_where_they_go() -> None:
    found = tag_by_poses(poses(yaw=nan), MappingSettings()).tag(5 * SECOND)
    assert isinstance(found, Pose)
    assert found.position_sigma == 0.5
    assert found.heading == pytest.approx(0.0)
    assert found.heading_source == "track"


def test_poses_that_cannot_be_used_are_refused() -> None:
    recorded = poses()
    recorded.positions[:] = nan
    with pytest.raises(BagError, match="none of 20 poses"):
        tag_by_poses(recorded, MappingSettings())
