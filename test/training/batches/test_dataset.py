from __future__ import annotations

from pathlib import Path

import pytest
import torch

from test.training.batches.conftest import IMAGES
from training.batches import BatchSettings, PlaceBatch, PlaceDataset, PlaceRequest
from training.batches.pixels import Augmentation, stacked
from training.images import read_rgb
from training.index import PlaceIndex

REQUESTS = [PlaceRequest(place, 1, 0, position) for position, place in enumerate((7, 2, 9))]


def images_of(index: PlaceIndex, place: int) -> list[Path]:
    return [index.path(row) for row in range(index.starts[place], index.starts[place + 1])]


def spoil(paths: list[Path]) -> set[str]:
    for path in paths:
        path.write_bytes(path.read_bytes()[:200])
    return {str(path) for path in paths}


def of_place(batch: PlaceBatch, place: int) -> list[str]:
    return [path for path, label in zip(batch.paths, batch.labels, strict=True) if label == place]


def test_a_batch_holds_random_images_of_its_places(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    batch = PlaceDataset(index, settings)[REQUESTS]
    assert batch.images.shape == (12, 3, 20, 30)
    assert batch.images.dtype == torch.uint8
    assert batch.labels.dtype == torch.int64
    assert batch.labels.tolist() == [7] * 4 + [2] * 4 + [9] * 4
    assert batch.undecodable == []
    for place in (7, 2, 9):
        drawn = of_place(batch, place)
        assert len(set(drawn)) == 4
        assert set(drawn) <= {str(path) for path in images_of(index, place)}
    draws = [
        frozenset(PlaceDataset(index, settings)[[PlaceRequest(7, 1, epoch, 0)]].paths)
        for epoch in range(30)
    ]
    assert len(set(draws)) == IMAGES  # 4 of 5: each of them is left out at times


def test_without_augmentation_the_pixels_are_those_of_the_files(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    plain = BatchSettings(places=3, size=settings.size, randaugment=0)
    batch = PlaceDataset(index, plain)[REQUESTS]
    squash = Augmentation(settings.size, 0)
    expected = stacked([squash(read_rgb(Path(path)), 0) for path in batch.paths])
    assert torch.equal(batch.images, expected)


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 1}, {"position": 5}])
def test_seed_epoch_and_position_all_change_the_draw(
    index: PlaceIndex, settings: BatchSettings, change: dict[str, int]
) -> None:
    dataset = PlaceDataset(index, settings)
    request = PlaceRequest(7, 1, 0, 0)
    assert torch.equal(dataset[[request]].images, dataset[[request]].images)
    assert not torch.equal(dataset[[request]].images, dataset[[request._replace(**change)]].images)


def test_the_other_places_of_a_batch_do_not_matter(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    dataset = PlaceDataset(index, settings)
    together = dataset[REQUESTS].images
    assert torch.equal(together, torch.cat([dataset[[request]].images for request in REQUESTS]))


def test_an_undecodable_image_is_replaced_by_another_of_its_place_and_listed(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    dataset = PlaceDataset(index, settings)
    untouched = dataset[REQUESTS]
    spoilt = spoil([Path(of_place(untouched, 2)[1])])
    batch = dataset[REQUESTS]
    assert batch.labels.tolist() == untouched.labels.tolist()
    replaced = of_place(batch, 2)
    assert set(replaced) == {str(path) for path in images_of(index, 2)} - spoilt
    assert len(replaced) == 4
    assert {path for path, _ in batch.undecodable} == spoilt
    assert all(reason for _, reason in batch.undecodable)
    assert torch.equal(batch.images[:4], untouched.images[:4])  # other places are as they were
    assert torch.equal(batch.images[8:], untouched.images[8:])
    assert torch.equal(dataset[REQUESTS].images, batch.images)


def test_where_a_place_has_too_few_images_left_some_come_twice(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    good, *bad = images_of(index, 2)
    spoilt = spoil(bad)
    batch = PlaceDataset(index, settings)[REQUESTS]
    assert of_place(batch, 2) == [str(good)] * 4
    assert sorted(path for path, _ in batch.undecodable) == sorted(spoilt)
    copies = batch.images[batch.labels == 2]
    assert not torch.equal(copies[0], copies[1])  # each is augmented on its own


def test_a_place_without_any_decodable_image_is_missing_from_the_batch(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    spoilt = {str(path) for path in images_of(index, 2)}
    for path in images_of(index, 2):
        path.unlink()
    batch = PlaceDataset(index, settings)[REQUESTS]
    assert batch.labels.tolist() == [7] * 4 + [9] * 4
    assert batch.images.shape == (8, 3, 20, 30)
    assert dict(batch.undecodable) == dict.fromkeys(spoilt, "there is no such file")


def test_where_no_place_of_a_batch_can_be_read_another_of_its_group_stands_in(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    dataset = PlaceDataset(index, settings)
    requests = REQUESTS[:1]  # place 7 of the group of places 5 to 9
    spoilt = {path for place in (7, 5, 6) for path in spoil(images_of(index, place))}
    batch = dataset[requests]
    (label,) = set(batch.labels.tolist())
    assert label in (8, 9)
    assert len(set(batch.paths)) == 4
    assert set(batch.paths) <= {str(path) for path in images_of(index, label)}
    assert {path for path, _ in batch.undecodable} <= spoilt
    assert {str(path) for path in images_of(index, 7)} <= {p for p, _ in batch.undecodable}
    assert torch.equal(dataset[requests].images, batch.images)


def test_a_group_that_is_gone_leaves_an_empty_batch_that_names_its_images(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    spoilt = {path for place in range(5, 10) for path in spoil(images_of(index, place))}
    batch = PlaceDataset(index, settings)[REQUESTS[:1]]
    assert batch.images.shape == (0, 3, 20, 30)
    assert batch.images.dtype == torch.uint8
    assert (batch.labels.tolist(), batch.paths) == ([], [])
    assert sorted(path for path, _ in batch.undecodable) == sorted(spoilt)


def test_a_place_with_fewer_images_than_asked_for_has_some_of_them_twice(
    index: PlaceIndex, settings: BatchSettings
) -> None:
    many = BatchSettings(places=3, images=8, size=settings.size)
    batch = PlaceDataset(index, many)[REQUESTS]
    assert batch.labels.tolist() == [7] * 8 + [2] * 8 + [9] * 8
    assert set(of_place(batch, 7)) == {str(path) for path in images_of(index, 7)}
