"""Classes, groups and numbers against plain loops over dictionaries."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.datasets.source import Candidate
from training.index.build import sortable
from training.index.division import Division, OwnPlaces
from training.index.manifest import Group
from training.index.numbering import GROUP_NOT_USED, LISTED_TWICE, TOO_FEW, PlaceNumbering
from training.index.sorting import ExternalSorter


class Numbered:
    """What comes out of dividing, sorting and numbering some images."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        division: Division | OwnPlaces,
        run_rows: int = 1000,
        table_rows: int = 1000,
    ) -> None:
        cities = list(dict.fromkeys(candidate.city for candidate in candidates))
        numbers = np.array([cities.index(candidate.city) for candidate in candidates], np.int64)
        self.dropped: dict[tuple[str, str], int] = defaultdict(int)
        numbering = PlaceNumbering("set", cities, division, 5, 70, self._drop)
        with tempfile.TemporaryDirectory() as folder:
            sorter = ExternalSorter(Path(folder) / "runs", run_rows)
            for start in range(0, len(candidates), 9):
                part = slice(start, start + 9)
                sorter.add(sortable(numbers[part], candidates[part], division))
            tables = list(numbering.number(_cut(sorter.sorted(), table_rows)))
        self.rows = [row for table in tables for row in table.to_pylist()]
        self.groups: list[Group] = numbering.groups
        self.places = numbering.places

    def _drop(self, city: str, reason: str, images: int) -> None:
        self.dropped[city, reason] += images

    def members(self) -> dict[str, set[frozenset[str]]]:
        """Group name to its places, each as the set of its images."""
        places: dict[tuple[int, int], set[str]] = defaultdict(set)
        for row in self.rows:
            places[row["group"], row["place"]].add(row["path"])
        found: dict[str, set[frozenset[str]]] = defaultdict(set)
        for (group, _), images in places.items():
            found[self.groups[group - 5].name].add(frozenset(images))
        return found


def _cut(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    for table in tables:
        for start in range(0, table.num_rows, rows):
            yield table.slice(start, rows)


def oracle(candidates: Sequence[Candidate], division: Division) -> dict[str, set[frozenset[str]]]:
    """Divide by the formula of the paper, in exact fractions."""
    classes: dict[str, dict[tuple[int, ...], dict[tuple[int, ...], set[str]]]] = {}
    for image in candidates:
        east = math.floor(Fraction(image.easting) / Fraction(division.M))
        north = math.floor(Fraction(image.northing) / Fraction(division.M))
        heading = math.floor(Fraction(image.heading) % 360 / Fraction(division.alpha))
        group = east % division.N, north % division.N, heading % division.L
        city = classes.setdefault(image.city, {})
        members = city.setdefault(group, {}).setdefault((east, north, heading), set())
        members.add(image.path)
    found = {}
    for city_name, city in classes.items():
        used = 0
        for (u, v, w), group_classes in sorted(city.items()):
            places = {
                frozenset(images)
                for images in group_classes.values()
                if len(images) >= division.min_images
            }
            if places and used < division.groups:
                used += 1
                found[f"set/{city_name}/{u}.{v}.{w}"] = places
    return found


IMAGE = st.tuples(
    st.sampled_from(["rome", "oslo"]),
    st.floats(-60, 60),
    st.floats(-60, 60),
    st.floats(0, 360),
)
DIVISION = st.builds(
    Division,
    M=st.sampled_from([15.0, 10.0, 40.0]),
    alpha=st.sampled_from([60.0, 180.0]),
    N=st.integers(1, 3),
    L=st.sampled_from([1, 2]),
    min_images=st.integers(1, 4),
    groups=st.sampled_from([1, 3, 18]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(IMAGE, min_size=1, max_size=120), DIVISION, st.sampled_from([1, 2, 5, 1000]))
def test_division_and_groups_against_plain_loops(
    images: list[tuple[str, float, float, float]], division: Division, table_rows: int
) -> None:
    candidates = [
        Candidate(f"{number:03d}.jpg", city, east, north, heading=heading)
        for number, (city, east, north, heading) in enumerate(images)
    ]
    found = Numbered(candidates, division, run_rows=25, table_rows=table_rows)
    assert found.members() == oracle(candidates, division)
    kept = len(found.rows)
    assert kept + sum(found.dropped.values()) == len(candidates)
    assert sum(group.images for group in found.groups) == kept
    assert sum(group.places for group in found.groups) == found.places
    # Rows come by group, place and path; both are numbered without a gap from where they start.
    order = [(row["group"], row["place"], row["path"]) for row in found.rows]
    assert order == sorted(order)
    assert sorted({place for _, place, _ in order}) == list(range(70, 70 + found.places))
    assert sorted({group for group, _, _ in order}) == list(range(5, 5 + len(found.groups)))


@settings(max_examples=50, deadline=None)
@given(st.lists(IMAGE, min_size=2, max_size=80), DIVISION)
def test_two_places_of_a_group_are_far_apart_or_look_another_way(
    images: list[tuple[str, float, float, float]], division: Division
) -> None:
    candidates = [
        Candidate(f"{number}.jpg", "rome", east, north, heading=heading % 360.0)
        for number, (_, east, north, heading) in enumerate(images)
    ]
    by_path = {candidate.path: candidate for candidate in candidates}
    rows = Numbered(candidates, division).rows
    for a in rows:
        for b in rows:
            if a["group"] != b["group"] or a["place"] >= b["place"]:
                continue
            one, other = by_path[a["path"]], by_path[b["path"]]
            apart = max(abs(one.easting - other.easting), abs(one.northing - other.northing))
            angle = abs(one.heading - other.heading)
            turned = min(angle, 360.0 - angle)
            far = division.N > 1 and apart >= (division.N - 1) * division.M - 1e-6
            aside = division.L > 1 and turned >= (division.L - 1) * division.alpha - 1e-6
            # With N or L of 1 neighbours may share a group: then nothing is promised.
            assert far or aside or division.N == 1 or division.L == 1


def grid(cells: int, division: Division, lacking: tuple[int, int, int] | None = None) -> list:
    """Four images in every class of a square of cells, but for those of one group."""
    return [
        Candidate(
            f"{east}-{north}-{heading}-{image}.jpg",
            "town",
            (east + 0.5) * division.M,
            (north + 0.5) * division.M,
            heading=(heading + 0.5) * division.alpha,
        )
        for east in range(cells)
        for north in range(cells)
        for heading in range(division.headings)
        for image in range(4)
        if (east % division.N, north % division.N, heading % division.L) != lacking
    ]


def test_a_regular_city_has_the_published_18_groups() -> None:
    division = Division()
    found = Numbered(grid(6, division), division)
    assert len(found.groups) == division.N**2 * division.L == 18
    assert {group.places for group in found.groups} == {2 * 2 * 3}
    assert not found.dropped


def test_a_city_without_a_class_in_one_group_has_17() -> None:
    division = Division()
    found = Numbered(grid(6, division, lacking=(1, 2, 0)), division)
    names = [group.name for group in found.groups]
    assert len(names) == 17
    assert "set/town/1.2.0" not in names
    assert names == sorted(names)


def test_one_group_of_sf_xl_is_used_and_49_are_not() -> None:
    division = Division(M=10, alpha=60, N=5, L=2, groups=1)
    candidates = grid(5, division)
    found = Numbered(candidates, division)
    assert [group.name for group in found.groups] == ["set/town/0.0.0"]
    assert len(found.rows) == len(candidates) // 50
    assert found.dropped == {("town", GROUP_NOT_USED): len(candidates) // 50 * 49}


def test_an_empty_group_does_not_count_as_the_one_in_use() -> None:
    division = Division(groups=1)
    found = Numbered(grid(3, division, lacking=(0, 0, 0)), division)
    assert [group.name for group in found.groups] == ["set/town/0.0.1"]


def test_small_classes_are_counted() -> None:
    candidates = [
        Candidate(f"{i}.jpg", "town", 1.0 + 20 * (i // 4), 1.0, heading=0) for i in range(7)
    ]
    found = Numbered(candidates, Division())
    assert found.places == 1
    assert found.dropped == {("town", TOO_FEW): 3}


@pytest.mark.parametrize("table_rows", [1, 3, 1000])
def test_an_image_listed_twice_counts_once(table_rows: int) -> None:
    image = [Candidate(f"{i}.jpg", "town", 1.0, 1.0, heading=0) for i in range(3)]
    found = Numbered([*image, *image, *image[:1]], Division(), table_rows=table_rows)
    assert not found.rows
    assert found.dropped == {("town", LISTED_TWICE): 4, ("town", TOO_FEW): 3}


@pytest.mark.parametrize("table_rows", [1, 7, 1000])
def test_a_dataset_with_places_of_its_own_keeps_them(table_rows: int) -> None:
    sizes = {("rome", 3): 4, ("rome", 9): 3, ("rome", 11): 6, ("oslo", 3): 5}
    candidates = [
        Candidate(f"{city}{place}-{i}.jpg", city, place=place)
        for (city, place), size in sizes.items()
        for i in range(size)
    ]
    found = Numbered(candidates, OwnPlaces(), table_rows=table_rows)
    assert [(g.name, g.places, g.images) for g in found.groups] == [
        ("set/rome", 2, 10),
        ("set/oslo", 1, 5),
    ]
    assert found.dropped == {("rome", TOO_FEW): 3}


def test_a_city_may_have_more_than_99_999_places() -> None:
    count = 100_050
    candidates = [Candidate(f"{place}.jpg", "rome", place=place) for place in range(count)]
    cities = np.zeros(count, np.int64)
    division = OwnPlaces(min_images=1)
    numbering = PlaceNumbering("set", ["rome"], division, 0, 0, lambda *dropped: None)
    (table,) = numbering.number([sortable(cities, candidates, division)])
    assert len(np.unique(table["place"].to_numpy())) == count
