from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from training.batches import (
    BatchSettings,
    PlaceBatch,
    PlaceDataset,
    PlaceRequest,
    Views,
    make_view_loader,
)
from training.batches.disturbance import Disturbance
from training.batches.light import relit
from training.batches.pixels import Augmentation, stacked
from training.images import read_rgb
from training.index import PlaceIndex

SEED = 5
SETTINGS = BatchSettings(places=2, size=(28, 42), randaugment=0, viewpoint=0.6, views=3)


def batches(index: PlaceIndex, settings: BatchSettings, epochs: int = 12) -> list[PlaceBatch]:
    """Batches of the places 7 and 2."""
    dataset = PlaceDataset(index, settings)
    return [
        dataset[[PlaceRequest(7, SEED, epoch, 0), PlaceRequest(2, SEED, epoch, 1)]]
        for epoch in range(epochs)
    ]


def by_view(seen: Sequence[PlaceBatch]) -> dict[int, list[Tensor]]:
    pictures: dict[int, list[Tensor]] = {}
    for batch in seen:
        for number, picture in zip(batch.views.tolist(), batch.images, strict=True):
            pictures.setdefault(number, []).append(picture)
    return pictures


def test_what_a_batch_shows_is_the_view_of_its_number(index: PlaceIndex) -> None:
    views = Views(index, SETTINGS, SEED)
    assert len(views) == 3 * index.images
    for batch in batches(index, SETTINGS, 4):
        assert batch.views.dtype == torch.int64
        assert [str(index.path(n // 3)) for n in batch.views.tolist()] == batch.paths
        expected = torch.stack([views[number] for number in batch.views.tolist()])
        assert torch.equal(batch.images, expected)


def test_an_image_has_so_many_views_and_no_more(index: PlaceIndex) -> None:
    pictures = by_view(batches(index, SETTINGS))
    rows = {row for place in (2, 7) for row in range(*index.starts[place : place + 2])}
    assert set(pictures) == {3 * row + view for row in rows for view in range(3)}
    assert all(torch.equal(p, several[0]) for several in pictures.values() for p in several)
    assert len({several[0].numpy().tobytes() for several in pictures.values()}) == len(pictures)


def test_views_are_those_of_the_seed(index: PlaceIndex) -> None:
    views, again, others = (Views(index, SETTINGS, seed) for seed in (SEED, SEED, SEED + 1))
    for number in (0, 1, 50):
        assert views[number].dtype == torch.uint8
        assert views[number].shape == (3, 28, 42)
        assert torch.equal(views[number], again[number])
        assert not torch.equal(views[number], others[number])


def test_a_view_comes_in_another_light_each_time(index: PlaceIndex) -> None:
    lit = batches(index, replace(SETTINGS, light=0.6))
    for ours, clean in zip(lit, batches(index, SETTINGS), strict=True):
        assert torch.equal(ours.views, clean.views)
        assert ours.paths == clean.paths
    for pictures in by_view(lit).values():
        assert len({picture.numpy().tobytes() for picture in pictures}) == len(pictures)


def test_light_falls_on_the_view_and_leaves_it_where_it_is(index: PlaceIndex) -> None:
    rgb = read_rgb(index.path(0))
    augmentation = Augmentation((28, 42), 0, viewpoint=0.6, light=0.6)
    view = Augmentation((28, 42), 0, viewpoint=0.6).view(rgb, 11)
    for seed in range(4):
        random = np.random.default_rng((seed, 2))
        expected = Disturbance((28, 42))(relit(view, 0.6, random), 0.6, random)
        assert np.array_equal(augmentation(rgb, seed, 11), expected)
    assert np.array_equal(augmentation(rgb, 11, 11), augmentation(rgb, 11))


def test_no_batch_has_a_view_of_what_cannot_be_decoded(index: PlaceIndex) -> None:
    spoilt = range(index.starts[2], index.starts[2] + 2)
    for row in spoilt:
        index.path(row).write_bytes(b"no image")
    views = Views(index, SETTINGS, SEED)
    grey = torch.full((3, 28, 42), 128, dtype=torch.uint8)
    assert all(torch.equal(views[3 * row + view], grey) for row in spoilt for view in range(3))
    seen = batches(index, SETTINGS)
    assert not {3 * row + view for row in spoilt for view in range(3)} & set(by_view(seen))
    for batch in seen[:3]:
        assert len(batch.views) == len(batch.images) == 8
        expected = torch.stack([views[number] for number in batch.views.tolist()])
        assert torch.equal(batch.images, expected)


def test_without_a_limit_batches_are_bit_for_bit_what_they_were(index: PlaceIndex) -> None:
    settings = replace(SETTINGS, images=7, randaugment=2, light=0.4, views=0)
    augmentation = Augmentation(settings.size, 2, settings.viewpoint, settings.light)
    for epoch, batch in enumerate(batches(index, settings, 3)):
        assert batch.views.tolist() == []
        expected, paths = [], []
        for position, place in enumerate((7, 2)):
            key = np.random.SeedSequence(SEED, spawn_key=(epoch, position))
            random = np.random.default_rng(key)
            seeds = random.integers(2**63, size=7)
            rows = random.permutation(np.arange(*index.starts[place : place + 2])).tolist()
            rows += [rows[number] for number in random.integers(5, size=2)]
            paths += [str(index.path(row)) for row in rows]
            for row, seed in zip(rows, seeds, strict=True):
                expected.append(augmentation(read_rgb(index.path(row)), int(seed)))
        assert batch.paths == paths
        assert torch.equal(batch.images, stacked(expected))
    limited = batches(index, replace(settings, views=3), 3)
    unlimited = batches(index, settings, 3)
    assert [batch.paths for batch in limited] == [batch.paths for batch in unlimited]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_gives_the_views_in_their_order(index: PlaceIndex, workers: int) -> None:
    views = Views(index, SETTINGS, SEED)
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)  # threads that a worker does not have, and must not wait for
    try:
        for _ in range(3):  # large enough for OpenCV to start them
            cv2.GaussianBlur(np.zeros((1000, 1000, 3), np.uint8), (0, 0), 3)
        given = list(make_view_loader(views, range(4, 14), 4, workers))
    finally:
        cv2.setNumThreads(before)
    assert [len(part) for part in given] == [4, 4, 2]
    assert torch.equal(torch.cat(given), torch.stack([views[n] for n in range(4, 14)]))
    assert list(make_view_loader(views, range(9, 7), 4, workers)) == []
