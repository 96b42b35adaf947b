from __future__ import annotations

from pathlib import Path

import pytest

from training.batches import BatchSettings, PlaceRequest, PlaceSampler
from training.index import PlaceIndex
from training.run.data import RankShare

SETTINGS = BatchSettings(places=5, images=2, size=(28, 28), randaugment=0)


def epochs(sampler: PlaceSampler, number: int) -> list[list[PlaceRequest]]:
    sampler.set_epoch(number)
    return list(sampler)


@pytest.fixture
def places(index: Path) -> PlaceIndex:
    return PlaceIndex.load(index)


@pytest.mark.parametrize("world_size", [2, 3])
def test_the_shares_of_all_ranks_are_the_batches_of_one_process(
    places: PlaceIndex, world_size: int
) -> None:
    shares = [RankShare(places, SETTINGS, 7, rank, world_size) for rank in range(world_size)]
    for epoch in (0, 1):
        whole = epochs(PlaceSampler(places, SETTINGS, 7), epoch)
        whole = [batch for batch in whole if len(batch) >= world_size]
        divided = [epochs(share, epoch) for share in shares]
        assert [len(share) for share in shares] == [len(whole)] * world_size
        for batch, *parts in zip(whole, *divided, strict=True):
            assert all(parts)
            together = [request for part in parts for request in part]
            assert sorted(together) == sorted(batch)
            assert len({request.place for request in together}) == len(batch)


def test_a_share_goes_on_in_the_middle_of_its_epoch(places: PlaceIndex) -> None:
    share = RankShare(places, SETTINGS, 7, 1, 2)
    whole = epochs(share, 3)
    again = RankShare(places, SETTINGS, 7, 1, 2)
    again.set_epoch(3)
    again.set_start(2)
    assert list(again) == whole[2:]
    assert len(again) == len(whole)
    again.set_epoch(4)  # the next one begins at its start
    assert len(list(again)) == len(whole)
