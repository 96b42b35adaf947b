"""The batches of a run, divided over its processes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lightning.fabric import Fabric
from torch.utils.data import DataLoader

from training.batches import BatchSettings, PlaceBatch, PlaceRequest, PlaceSampler, make_loader
from training.index import PlaceIndex
from training.run.config import DataConfig
from training.run.hardware import default_workers


class RankShare(PlaceSampler):
    """One rank's share of every batch: of the places of a batch every world_size-th.

    All ranks together have at every step the batch that one process would have, of one group, so
    that pairs may be found over all ranks: were whole batches dealt out instead, two groups of one
    city could meet. Batches with fewer places than ranks are left out.
    """

    def __init__(
        self, index: PlaceIndex, settings: BatchSettings, seed: int, rank: int, world_size: int
    ) -> None:
        super().__init__(index, settings, seed)
        self._share = slice(rank, None, world_size)
        self._least = world_size
        # Sizes of batches are the same in every epoch.
        self._count = sum(1 for _ in self._enough())
        self._done = 0

    def __len__(self) -> int:
        return self._count

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws; another one begins at its start."""
        if epoch != self.epoch:
            self._done = 0
        super().set_epoch(epoch)

    def set_start(self, batches_done: int) -> None:
        """Let iterations of this epoch begin after so many batches."""
        self._done = batches_done

    def __iter__(self) -> Iterator[list[PlaceRequest]]:
        return (requests[self._share] for requests in islice(self._enough(), self._done, None))

    def _enough(self) -> Iterator[list[PlaceRequest]]:
        return (r for r in super().__iter__() if len(r) >= self._least)


def make_batches(
    config: DataConfig, index: PlaceIndex, seed: int, fabric: Fabric
) -> tuple[PlaceSampler, DataLoader[PlaceBatch]]:
    """Return the sampler and the loader of this process."""
    settings = BatchSettings(config.places, config.images, config.size, config.randaugment)
    if fabric.world_size == 1:
        sampler = PlaceSampler(index, settings, seed)
    else:
        sampler = RankShare(index, settings, seed, fabric.global_rank, fabric.world_size)
    workers = default_workers(fabric) if config.workers is None else config.workers
    on_gpu = fabric.device.type == "cuda"
    return sampler, make_loader(index, settings, sampler, workers, pin_memory=on_gpu)
