from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import ConfigError
from training.index.division import (
    PUBLISHED,
    Division,
    OwnPlaces,
    cells,
    heading_classes,
    with_settings,
)


def heading_class(heading: float, division: Division = PUBLISHED["msls"]) -> int:
    return int(heading_classes(np.array([heading]), division)[0])


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        (0.0, 0),
        (-0.0, 0),
        (59.999999, 0),
        (60.0, 1),
        (359.999999, 5),
        (math.nextafter(360.0, 0.0), 5),
        (360.0, 0),
        (math.nextafter(360.0, 400.0), 0),
        (720.0, 0),
        (419.0, 0),
        (420.0, 1),
        (-1e-300, 0),
        (-0.001, 5),
        (-60.0, 5),
        (-60.001, 4),
        (-360.0, 0),
    ],
)
def test_heading_class(heading: float, expected: int) -> None:
    assert heading_class(heading) == expected


@given(st.floats(-1e6, 1e6), st.sampled_from([360.0, 180.0, 120.0, 60.0, 7.2, 0.1, 360 / 7]))
def test_a_heading_class_exists_and_holds_its_heading(heading: float, alpha: float) -> None:
    division = Division(alpha=alpha, L=1)
    found = heading_class(heading, division)
    assert 0 <= found < division.headings
    turned = heading % 360.0
    if turned < 360.0 and division.headings > 1:
        assert found * alpha - 1e-9 <= turned <= (found + 1) * alpha + 1e-9


def test_no_heading_is_needed_where_all_are_one_class() -> None:
    division = Division(alpha=360, L=1)
    assert not division.needs_heading
    assert heading_class(math.nan, division) == 0


@given(st.floats(-1e7, 1e7), st.sampled_from([10.0, 15.0, 0.1, 3.3]))
def test_a_cell_is_the_floor_also_below_zero(coordinate: float, side: float) -> None:
    (found,) = cells(np.array([coordinate]), side)
    assert found == coordinate // side


def test_cells_of_negative_coordinates() -> None:
    coordinates = np.array([-15.0, -15.01, -0.01, -0.0, 0.0, 14.99, 15.0])
    assert cells(coordinates, 15.0).tolist() == [-1, -2, -1, 0, 0, 0, 1]


def test_published_divisions() -> None:
    assert {
        "gsv-cities": OwnPlaces(min_images=4),
        "sf-xl": Division(M=10, alpha=60, N=5, L=2, min_images=4, groups=1),
        "pitts30k": Division(M=15, alpha=60, N=3, L=2, min_images=4, groups=18),
        "msls": Division(M=15, alpha=60, N=3, L=2, min_images=4, groups=18),
    } == PUBLISHED


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"M": "0"}, "M=0 is below"),
        ({"M": "nan"}, "M=nan"),
        ({"M": "inf"}, "M=inf"),
        ({"alpha": "0"}, "alpha=0 is not from"),
        ({"alpha": "400"}, "alpha=400 is not from"),
        ({"alpha": "50"}, "alpha=50 does not divide the circle"),
        ({"L": "4"}, "L=4 does not divide the 6 headings"),
        ({"N": "0"}, "N=0 is below 1"),
        ({"N": "70000"}, "N=70000 is above"),
        ({"groups": "0"}, "groups=0 is below 1"),
        ({"min_images": "2.5"}, "min_images=2.5 is not a whole number"),
        ({"M": "wide"}, "M=wide is not a number"),
        ({"m": "10"}, "there is no setting 'm'; there is M, alpha, N, L, min_images, groups"),
    ],
)
def test_settings_that_make_no_division_are_named(values: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        with_settings(Division(), values)


def test_settings_are_taken_together() -> None:
    changed = with_settings(Division(), {"alpha": "360", "L": "1", "M": "12.5", "groups": "9"})
    assert changed == Division(M=12.5, alpha=360, L=1, groups=9)


def test_own_places_have_one_setting() -> None:
    assert with_settings(OwnPlaces(), {"min_images": "2"}) == OwnPlaces(2)
    with pytest.raises(ConfigError, match="no setting 'M'; there is min_images"):
        with_settings(OwnPlaces(), {"M": "10"})
    with pytest.raises(ConfigError, match="min_images=0"):
        OwnPlaces(0)
