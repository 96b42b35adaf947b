"""The batches of a run, shared by its processes."""

from __future__ import annotations

from lightning.fabric import Fabric
from torch.utils.data import DataLoader

from training.batches import BatchSettings, PlaceBatch, PlaceSampler, make_loader
from training.index import PlaceIndex
from training.run.config import DataConfig
from training.run.hardware import default_workers


def batch_settings(config: DataConfig, views: int = 0) -> BatchSettings:
    """Return what a configuration says of batches; views: as in `BatchSettings`."""
    return BatchSettings(
        config.places,
        config.images,
        config.size,
        config.randaugment,
        config.viewpoint,
        config.light,
        views,
    )


def reading_processes(config: DataConfig, fabric: Fabric) -> int:
    """Return how many processes read images for this one."""
    return default_workers(fabric) if config.workers is None else config.workers


def make_batches(
    config: DataConfig, index: PlaceIndex, settings: BatchSettings, seed: int, fabric: Fabric
) -> tuple[PlaceSampler, DataLoader[PlaceBatch]]:
    """Return the sampler and the loader of this process: its share of every batch."""
    sampler = PlaceSampler(index, settings, seed, fabric.global_rank, fabric.world_size)
    workers = reading_processes(config, fabric)
    on_gpu = fabric.device.type == "cuda"
    return sampler, make_loader(index, settings, sampler, workers, pin_memory=on_gpu)
