from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batches.layout import Part, lay_out

GROUPS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 4)), min_size=1, max_size=20)


def layout(groups: list[tuple[int, int]], places: int) -> list[list[Part]]:
    sizes, cities = zip(*groups, strict=True)
    return lay_out(np.array(sizes), np.array(cities, dtype=np.int32), places)


@settings(max_examples=200, deadline=None)
@given(groups=GROUPS, places=st.integers(2, 8))
def test_every_place_is_in_one_batch_and_no_two_groups_of_a_city_meet(
    groups: list[tuple[int, int]], places: int
) -> None:
    seen: Counter[int] = Counter()
    alone: Counter[int] = Counter()
    for batch in layout(groups, places):
        cities = [groups[group][1] for group, _ in batch]
        assert len(cities) == len(set(cities))
        assert 1 <= sum(part.places for part in batch) <= places
        for group, count in batch:
            assert count > 0
            seen[group] += count
        if batch[0].places == places:
            alone[batch[0].group] += 1
    for group, (size, _) in enumerate(groups):
        assert seen[group] == size
        assert alone[group] == size // places  # only what is left over is joined


def test_leftovers_of_many_cities_make_one_small_batch_at_most() -> None:
    """As in the unified set: cities of 18 groups, and cities of one."""
    random = np.random.default_rng(3)
    groups = [
        (int(random.integers(100, 4000)), city)
        for city in range(45)
        for _ in range(18 if city < 22 else 1)
    ]
    batches = layout(groups, 120)
    assert len(batches) == math.ceil(sum(size for size, _ in groups) / 120)


def test_groups_of_one_city_stay_apart_and_make_small_batches() -> None:
    assert layout([(3, 0), (2, 0), (7, 0)], 4) == [
        [Part(2, 4)],
        [Part(0, 3)],
        [Part(2, 3)],
        [Part(1, 2)],
    ]


def test_a_city_of_many_small_groups_is_spread_over_the_batches_of_others() -> None:
    batches = layout([(1, 0), (1, 0), (1, 0), (3, 1), (3, 2), (3, 3)], 4)
    assert sorted(sum(part.places for part in batch) for batch in batches) == [4, 4, 4]


@pytest.mark.parametrize("places", [2, 5])
def test_empty_groups_take_no_part(places: int) -> None:
    assert layout([(0, 0), (2, 1), (0, 1)], places) == [[Part(1, 2)]]
