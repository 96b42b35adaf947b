"""Which places are in which batch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from training.batches.layout import lay_out
from training.batches.settings import BatchSettings
from training.errors import TrainingError
from training.index import PlaceIndex


class PlaceRequest(NamedTuple):
    """A place to read, with all that its randomness depends on.

    place: number in the index.
    seed: of the run.
    epoch: number.
    position: of the place among all places of the epoch, over all ranks.
    """

    place: int
    seed: int
    epoch: int
    position: int


class PlaceSampler(Sampler[list[PlaceRequest]]):
    """Batches of places, drawn anew each epoch, and of each batch the share of one rank.

    A batch holds places of one group; what is left over of groups is joined with what is left over
    in other cities, so that two groups of one city never meet. Such a batch can be smaller than
    the others, where too few cities have anything left.

    Of several ranks each reads its part of every batch, every world_size-th place, so that a batch
    is the same however many share it, and pairs may be looked for over all ranks. (Whole batches
    dealt out to the ranks could bring two groups of one city together.)

    In an epoch every place comes once, on one of the ranks, but for `left_out` places: those of
    batches without a place for every rank, or of a single place, which no loss can learn from.
    Other places are left out in the next epoch. Sizes of batches are the same in every epoch.

    The draw depends on (seed, epoch) alone.
    """

    def __init__(
        self,
        index: PlaceIndex,
        settings: BatchSettings,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Lay out the batches.

        Raises:
            TrainingError: the index has too few places for a batch on every rank.
        """
        self.seed = seed
        self.epoch = 0
        self._start = 0
        self._places_of_rank = slice(rank, None, world_size)
        self._groups = np.asarray(index.place_groups)
        sizes = np.bincount(self._groups, minlength=index.groups)
        least = max(2, world_size)
        layout = [
            parts
            for parts in lay_out(sizes, np.asarray(index.group_cities), settings.places)
            if sum(part.places for part in parts) >= least
        ]
        if not layout:
            raise TrainingError(
                f"the index has too few places: no batch of at least {least} can be made of its"
                f" {index.places} places in {index.groups} groups"
                + (f" for {world_size} processes" if world_size > 1 else "")
            )
        self._layout_sizes = np.array([sum(part.places for part in parts) for parts in layout])
        self.left_out = index.places - int(self._layout_sizes.sum())
        # Places are laid in slots, sorted by group; a batch is made of slots.
        next_slot = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        slots = []
        for parts in layout:
            for group, places in parts:
                slots.append(np.arange(next_slot[group], next_slot[group] + places))
                next_slot[group] += places
        self._slots = np.concatenate(slots)
        self._starts = np.concatenate([[0], np.cumsum(self._layout_sizes)])

    def __len__(self) -> int:
        """Return the batches of an epoch, which are as many on every rank."""
        return len(self._layout_sizes)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws; another one begins at its start."""
        if epoch != self.epoch:
            self._start = 0
        self.epoch = epoch

    def set_start(self, batches_done: int) -> None:
        """Let iterations of this epoch begin after so many batches."""
        self._start = batches_done

    def __iter__(self) -> Iterator[list[PlaceRequest]]:
        """Draw the epoch and return its batches for this rank."""
        places, starts = self._draw()
        seed, epoch = self.seed, self.epoch
        return (
            [
                PlaceRequest(int(places[position]), seed, epoch, position)
                for position in range(first, end)[self._places_of_rank]
            ]
            for first, end in pairwise(starts[self._start :].tolist())
        )

    def _draw(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the epoch's places in order, and where each batch starts (and the last ends)."""
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.epoch,)))
        shuffled = np.argsort(self._groups + random.random(len(self._groups)), kind="stable")
        places = shuffled[self._slots]
        order = random.permutation(len(self._layout_sizes))
        sizes = self._layout_sizes[order]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        # The places of batch order[0], then those of order[1], ...
        gather = np.repeat(self._starts[order] - starts[:-1], sizes) + np.arange(starts[-1])
        return places[gather], starts
