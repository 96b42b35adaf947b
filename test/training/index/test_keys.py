from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from training.datasets.source import Candidate, Frame
from training.index.division import Division, OwnPlaces, Stretches
from training.index.keys import KEY_TYPE, Keys, city_of, class_keys, indices_of

DIVISION = Division(M=10, alpha=60, N=5, L=2)

metres = st.floats(-1e6, 1e7, allow_nan=False)
images = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), metres, metres, st.floats(0, 359.99)),
    min_size=1, max_size=20,
)  # fmt: skip


def keys_of(rows: list[tuple[int, float, float, float]]) -> pa.Array:
    candidates = [
        Candidate(f"{n}.jpg", "city", easting=east, northing=north, heading=heading)
        for n, (_, east, north, heading) in enumerate(rows)
    ]
    return class_keys(np.array([city for city, *_ in rows]), candidates, DIVISION)


def by_hand(row: tuple[int, float, float, float]) -> tuple[int, ...]:
    """City, group and class of an image, as the paper words them."""
    city, easting, northing, heading = row
    east, north = int(easting // 10), int(northing // 10)
    turned = int(heading // 60)
    return city, east % 5, north % 5, turned % 2, east, north, turned


@settings(max_examples=50, deadline=None)
@given(images)
def test_bytes_sort_as_the_numbers_do(rows: list[tuple[int, float, float, float]]) -> None:
    """Of cells west and south of the origin, too, whose numbers are negative."""
    keys = keys_of(rows)
    assert keys.type == KEY_TYPE
    written = [key.as_py() for key in keys]
    expected = [by_hand(row) for row in rows]
    assert order(written) == order(expected)
    for key, (city, u, v, w, *_) in zip(written, expected, strict=True):
        assert city_of(key) == city
        assert indices_of(key[:10]) == (u, v, w)


def order(values: Sequence[Any]) -> list[int]:
    return sorted(range(len(values)), key=values.__getitem__)


@settings(max_examples=50, deadline=None)
@given(images)
def test_classes_and_groups_begin_where_their_numbers_change(
    rows: list[tuple[int, float, float, float]],
) -> None:
    doubled = sorted([*rows, *rows], key=by_hand)
    keys = Keys(pa.chunked_array([keys_of(doubled[:3]), keys_of(doubled[3:])]) if doubled[3:]
                else pa.chunked_array([keys_of(doubled)]))  # fmt: skip
    numbers = [by_hand(row) for row in doubled]
    classes = [n for n in range(len(numbers)) if n == 0 or numbers[n] != numbers[n - 1]]
    assert keys.class_starts().tolist() == classes
    first = [numbers[n][:4] for n in classes]
    groups = [n for n in range(len(first)) if n == 0 or first[n] != first[n - 1]]
    assert keys.group_starts(keys.class_starts()).tolist() == groups
    for row, expected in enumerate(numbers):
        assert city_of(keys.group(row)) == expected[0]


def test_a_slice_of_a_column_has_the_keys_of_its_own_rows() -> None:
    rows = [(city, 10.0 * city, 0.0, 0.0) for city in range(6)]
    sliced = pa.chunked_array([keys_of(rows).slice(2, 3)])
    assert [city_of(row.tobytes()) for row in Keys(sliced).rows] == [2, 3, 4]


def test_places_of_a_datasets_own_keep_their_order_and_have_one_group() -> None:
    candidates = [Candidate("a.jpg", "city", place=place) for place in (-3, 0, 2**31 - 1)]
    keys = [key.as_py() for key in class_keys(np.array([7, 7, 7]), candidates, OwnPlaces())]
    assert keys == sorted(set(keys))
    assert {indices_of(key[:10]) for key in keys} == {(0, 0, 0)}
    assert {city_of(key) for key in keys} == {7}


def test_stretches_of_neighbouring_clips_are_in_different_groups() -> None:
    frames = [Frame(clip, position, 16) for clip in (0, 1) for position in range(16)]
    candidates = [Candidate("a.jpg", "city", frame=frame) for frame in frames]
    keys = [k.as_py() for k in class_keys(np.zeros(32, int), candidates, Stretches(length=8, N=2))]
    assert len(set(keys)) == 4  # two stretches of eight frames in each of two clips
    groups = [indices_of(key[:10])[0] for key in keys]
    assert [groups[n] for n in (0, 8, 16, 24)] == [0, 1, 1, 0]
