from __future__ import annotations

import math

import numpy as np
import pytest
import utm
from hypothesis import given
from hypothesis import strategies as st

from training.errors import EvaluationError
from training.evaluation.locations import Locations, find_positives, on_one_grid, rule


def located(
    positions: list[tuple[float, float]],
    zones: str | list[str] = "",
    headings: list[float] | None = None,
) -> Locations:
    count = len(positions)
    return Locations(
        np.array(positions, np.float64).reshape(-1, 2),
        [zones] * count if isinstance(zones, str) else zones,
        np.full(count, math.nan) if headings is None else np.array(headings, np.float64),
    )


def geographic(points: list[tuple[float, float]], zone: int | None = None) -> Locations:
    """Latitudes and longitudes, each in its own zone or all in one."""
    found = [utm.from_latlon(*point, force_zone_number=zone) for point in points]
    zones = [f"{number}{band}" for *_, number, band in found]
    return located([(east, north) for east, north, *_ in found], zones)


ANGLES = st.lists(st.integers(0, 72).map(lambda n: n * 5.0), min_size=1, max_size=8)


@given(ANGLES, ANGLES, st.sampled_from([0.0, 20.0, 40.0, 90.0, 180.0]))
def test_headings_against_plain_loops(queries, database, limit: float) -> None:
    here = [(0.0, 0.0)]
    found = find_positives(
        located(here * len(queries), headings=queries),
        located(here * len(database), headings=database),
        25,
        limit,
    )
    for query, numbers in zip(queries, found, strict=True):
        expected = []
        for n, other in enumerate(database):
            difference = abs(query - other) % 360
            if min(difference, 360 - difference) <= limit:
                expected.append(n)
        assert numbers.tolist() == expected


def test_an_unknown_heading_is_never_near() -> None:
    queries = located([(0, 0), (0, 0)], headings=[10, math.nan])
    database = located([(0, 0), (0, 0)], headings=[math.nan, 20])
    assert [n.tolist() for n in find_positives(queries, database, 25, 40)] == [[1], []]
    with pytest.raises(EvaluationError, match="no headings"):
        find_positives(queries, located([(0, 0)]), 25, 40)


def test_neighbours_across_the_border_of_a_zone_are_near() -> None:
    # 12 degrees east divides zones 32 and 33; these two are 14 m apart.
    west, east = geographic([(55.7, 11.9999)]), geographic([(55.7, 12.0001)])
    assert west.zones[0] == "32U"
    assert east.zones[0] == "33U"
    assert find_positives(west, east, 25)[0].tolist() == [0]
    assert find_positives(east, west, 25)[0].tolist() == [0]
    assert find_positives(east, west, 10)[0].tolist() == []


def test_neighbours_across_the_equator_are_near() -> None:
    north, south = geographic([(0.00005, 36.8)]), geographic([(-0.00005, 36.8)])
    assert find_positives(north, south, 25)[0].tolist() == [0]
    assert find_positives(south, north, 25)[0].tolist() == [0]


def test_the_same_numbers_in_zones_far_apart_are_not_near() -> None:
    queries, database = located([(550000, 4180000)], "10S"), located([(550000, 4180000)], "33S")
    assert find_positives(queries, database, 1000)[0].tolist() == []


def test_bands_of_one_zone_share_a_grid() -> None:
    queries, database = located([(550000, 4428000)], "10S"), located([(550000, 4428010)], "10T")
    assert find_positives(queries, database, 25)[0].tolist() == [0]


def test_zones_and_their_absence_do_not_mix() -> None:
    with pytest.raises(EvaluationError, match="others none"):
        find_positives(located([(0, 0)], "10S"), located([(0, 0)]), 25)


@pytest.mark.parametrize("zone", ["61S", "0S", "10I", "S", "10", "x"])
def test_a_zone_that_does_not_exist_is_named(zone: str) -> None:
    with pytest.raises(EvaluationError, match=f"'{zone}'"):
        find_positives(located([(5e5, 4e6)], zone), located([(5e5, 4e6)], "10S"), 25)


def test_positions_go_to_the_most_frequent_zone() -> None:
    points = [(55.7, 12.01), (55.7, 11.99), (55.7, 12.02), (37.77, -122.4)]
    mixed, forced = geographic(points), geographic(points[:3], zone=33)
    (converted,) = on_one_grid([mixed])
    assert converted[:3] == pytest.approx(forced.positions, abs=0.01)
    assert np.isnan(converted[3]).all()


def test_rules_in_words() -> None:
    assert rule(25.0, None) == "25 m"
    assert rule(12.5, 40.0) == "12.5 m and 40 degrees"
