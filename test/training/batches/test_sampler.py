from __future__ import annotations

import itertools
from collections import Counter
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from training.batches import BatchSettings, PlaceRequest, PlaceSampler
from training.errors import TrainingError
from training.index import PlaceIndex

Groups = list[tuple[int, int]]  # (places, city)
GROUPS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3)), min_size=1, max_size=10)
MANY = [(23, 0), (17, 0), (40, 1), (5, 2), (31, 3)]


def index_of(groups: Groups) -> PlaceIndex:
    sizes, cities = zip(*groups, strict=True)
    index = SimpleNamespace(
        places=sum(sizes),
        groups=len(groups),
        place_groups=np.repeat(np.arange(len(groups)), sizes).astype(np.int32),
        group_cities=np.array(cities, dtype=np.int32),
    )
    return cast(PlaceIndex, index)


def sampler(groups: Groups, places: int = 4, seed: int = 1, **ranks: int) -> PlaceSampler:
    return PlaceSampler(index_of(groups), BatchSettings(places=places), seed, **ranks)


def places_of(batches: list[list[PlaceRequest]]) -> list[list[int]]:
    return [[request.place for request in batch] for batch in batches]


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    groups=GROUPS,
    places=st.integers(2, 7),
    world_size=st.integers(1, 3),
    seed=st.integers(0, 2**64),
    epoch=st.integers(0, 30),
)
def test_an_epoch_keeps_its_promises(
    groups: Groups, places: int, world_size: int, seed: int, epoch: int
) -> None:
    index = index_of(groups)
    try:
        samplers = [
            sampler(groups, places, seed, rank=rank, world_size=world_size)
            for rank in range(world_size)
        ]
    except TrainingError:
        assume(False)
    shares = []
    for one in samplers:
        one.set_epoch(epoch)
        shares.append(list(one))
        assert len(shares[-1]) == len(one) == len(samplers[0])
        assert all(share for share in shares[-1])
    batches = [[r for share in of_ranks for r in share] for of_ranks in zip(*shares, strict=True)]
    times = Counter(request.place for batch in batches for request in batch)
    positions = sorted(request.position for batch in batches for request in batch)
    assert set(times) <= set(range(index.places))
    assert set(times.values()) == {1}
    assert len(times) + samplers[0].left_out == index.places
    assert positions == list(range(len(times)))
    for batch in batches:
        assert max(2, world_size) <= len(batch) <= places
        groups_met = {int(index.place_groups[request.place]) for request in batch}
        cities_met = [groups[group][1] for group in groups_met]
        assert len(set(cities_met)) == len(cities_met)
        assert {(request.seed, request.epoch) for request in batch} == {(seed, epoch)}


def test_only_batches_of_one_place_are_left_out_on_one_rank() -> None:
    one = sampler([(9, 0), (4, 0)], places=4)
    assert one.left_out == 1
    assert len(one) == 3


def test_batches_without_a_place_for_every_rank_are_left_out() -> None:
    assert sorted(len(batch) for batch in sampler([(10, 0)], places=4)) == [2, 4, 4]
    for rank, share in enumerate((2, 1, 1)):
        one = sampler([(10, 0)], places=4, rank=rank, world_size=3)
        assert one.left_out == 2
        assert [len(batch) for batch in one] == [share, share]


def test_no_place_is_left_out_in_every_epoch() -> None:
    one = sampler([(9, 0), (4, 0)], places=4)
    missing = []
    for epoch in range(40):
        one.set_epoch(epoch)
        missing.append(
            set(range(13)) - {place for batch in places_of(list(one)) for place in batch}
        )
    assert {len(places) for places in missing} == {1}
    assert set.intersection(*missing) == set()


def test_the_draw_depends_on_seed_and_epoch_alone() -> None:
    first, again, other = sampler(MANY, seed=1), sampler(MANY, seed=1), sampler(MANY, seed=2)
    for epoch in (3, 0, 7):  # in any order
        again.set_epoch(epoch)
        list(again)
    first.set_epoch(7)
    other.set_epoch(7)
    assert list(first) == list(first) == list(again)
    assert places_of(list(first)) != places_of(list(other))


def test_places_have_other_neighbours_in_another_epoch() -> None:
    """In the published loop the same places shared a batch in every epoch."""
    one = sampler([(400, 0)], places=4)
    together = []
    for epoch in (0, 1):
        one.set_epoch(epoch)
        together.append({frozenset(batch) for batch in places_of(list(one))})
    assert len(together[0] & together[1]) < 5


def test_batches_of_different_groups_alternate() -> None:
    one = sampler([(400, 0), (400, 1)], places=4)
    groups = [batch[0] // 400 for batch in places_of(list(one))]
    assert sum(a != b for a, b in itertools.pairwise(groups)) > 50


@pytest.mark.parametrize("rank", [0, 1])
def test_an_epoch_is_resumed_where_it_was_left(rank: int) -> None:
    one = sampler(MANY, rank=rank, world_size=2)
    one.set_epoch(2)
    whole = list(one)
    for done in range(len(one) + 1):
        resumed = sampler(MANY, rank=rank, world_size=2)
        resumed.set_epoch(2)
        resumed.set_start(done)
        assert list(resumed) == whole[done:]
        assert len(resumed) == len(whole)
        resumed.set_epoch(2)  # saying it again, as training loops do, changes nothing
        assert list(resumed) == whole[done:]
        resumed.set_epoch(3)
        assert len(list(resumed)) == len(whole)


def test_a_batch_is_the_same_however_many_ranks_share_it() -> None:
    of_two = [list(sampler(MANY, rank=rank, world_size=2)) for rank in (0, 1)]
    whole = [
        sorted(even + odd, key=lambda r: r.position) for even, odd in zip(*of_two, strict=True)
    ]
    assert whole == list(sampler(MANY))


@pytest.mark.parametrize(("groups", "ranks"), [([(1, 0), (1, 0)], 1), ([(4, 0), (3, 0)], 5)])
def test_too_few_places_are_an_error(groups: Groups, ranks: int) -> None:
    with pytest.raises(TrainingError, match="too few places") as caught:
        sampler(groups, world_size=ranks)
    assert "\n" not in str(caught.value)
