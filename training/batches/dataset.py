"""Places read from disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from training.batches.pixels import Augmentation, stacked
from training.batches.sampler import PlaceRequest
from training.batches.settings import BatchSettings
from training.batches.views import view_seed
from training.errors import UndecodableImageError
from training.images import read_rgb
from training.index import PlaceIndex

_SUBSTITUTES = 100  # other places tried where none of a batch can be read


class PlaceBatch(NamedTuple):
    """Images of some places; those of one place are neighbours.

    images: [P * K, 3, H, W] uint8, RGB; `normalised` makes of them what the network reads.
    labels: [P * K] int64, numbers of the places.
    paths: of the images, P * K.
    undecodable: (path, reason) of images that cannot be decoded, each once. Others of the same
        place stand in for them; a place of which no image can be decoded is missing from the batch.
        Where that is every place, another of the same group stands in for them all.
    views: [P * K] int64, numbers of the views in `Views`; empty where each view is a new one.
    """

    images: Tensor
    labels: Tensor
    paths: list[str]
    undecodable: list[tuple[str, str]]
    views: Tensor


class _Place(NamedTuple):
    number: int
    images: list[NDArray[np.uint8]]
    paths: list[str]
    views: list[int]


class PlaceDataset(Dataset[PlaceBatch]):
    """Reads batches of places.

    K random images are drawn of each place; a place of fewer has some of them twice.
    """

    def __init__(self, index: PlaceIndex, settings: BatchSettings) -> None:
        self._index = index
        self._settings = settings
        self._augmentation = Augmentation(
            settings.size, settings.randaugment, settings.viewpoint, settings.light
        )

    def __getitem__(self, requests: list[PlaceRequest]) -> PlaceBatch:
        """Read a batch. What is random depends on the requests alone."""
        undecodable: list[tuple[str, str]] = []
        places = [self._read_place(request, undecodable) for request in requests]
        if not any(place.paths for place in places):
            places += islice(filter(_decoded, self._substitutes(requests, undecodable)), 1)
        images = [image for place in places for image in place.images]
        height, width = self._settings.size
        pixels = stacked(images) if images else torch.empty(0, 3, height, width, dtype=torch.uint8)
        labels = [place.number for place in places for _ in place.paths]
        paths = [path for place in places for path in place.paths]
        views = [view for place in places for view in place.views]
        return PlaceBatch(
            pixels,
            torch.tensor(labels, dtype=torch.int64),
            paths,
            undecodable,
            torch.tensor(views, dtype=torch.int64),
        )

    def _substitutes(
        self, requests: list[PlaceRequest], undecodable: list[tuple[str, str]]
    ) -> Iterator[_Place]:
        """Read other places of the group, one after the other, up to a limit.

        A small batch, or a rank's share of it, may be a place or two: bad luck with them must not
        end a run, while a whole dataset that is gone is not looked for place by place.
        """
        first = requests[0]
        groups = self._index.place_groups
        group = np.flatnonzero(groups == groups[first.place])
        others = np.setdiff1d(group, [request.place for request in requests])
        random = np.random.default_rng((first.seed, first.epoch, first.position))
        for place in random.permutation(others)[:_SUBSTITUTES]:
            yield self._read_place(first._replace(place=int(place)), undecodable)

    def _read_place(self, request: PlaceRequest, undecodable: list[tuple[str, str]]) -> _Place:
        """Return K augmented images of a place, or none if none can be decoded."""
        key = np.random.SeedSequence(request.seed, spawn_key=(request.epoch, request.position))
        random = np.random.default_rng(key)
        first, end = self._index.starts[request.place], self._index.starts[request.place + 1]
        seeds = random.integers(2**63, size=self._settings.images)
        decoded: list[tuple[NDArray[np.uint8], int]] = []
        for row in random.permutation(np.arange(first, end)):
            path = self._index.path(int(row))
            try:
                decoded.append((read_rgb(path), int(row)))
            except UndecodableImageError as error:
                undecodable.append((str(path), error.reason))
            if len(decoded) == self._settings.images:
                break
        if not decoded:
            return _Place(request.place, [], [], [])
        repeated = random.integers(len(decoded), size=self._settings.images - len(decoded))
        decoded += [decoded[number] for number in repeated]
        paths = [str(self._index.path(row)) for _, row in decoded]
        views: list[int] = []
        view_seeds: list[int | None] = [None] * len(decoded)
        if count := self._settings.views:
            chosen = random.integers(count, size=len(decoded)).tolist()
            views = [row * count + view for (_, row), view in zip(decoded, chosen, strict=True)]
            view_seeds = [view_seed(request.seed, view) for view in views]
        images = [
            self._augmentation(rgb, int(seed), of_view)
            for (rgb, _), seed, of_view in zip(decoded, seeds, view_seeds, strict=True)
        ]
        return _Place(request.place, images, paths, views)


def _decoded(place: _Place) -> bool:
    return bool(place.paths)
