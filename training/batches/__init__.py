"""Batches of places: which places and images meet, and the pixels that the network sees."""

from training.batches.dataset import PlaceBatch, PlaceDataset
from training.batches.loader import make_loader, make_view_loader, worker_death
from training.batches.pixels import normalised
from training.batches.sampler import PlaceRequest, PlaceSampler
from training.batches.settings import BatchSettings
from training.batches.views import Views

__all__ = [
    "BatchSettings",
    "PlaceBatch",
    "PlaceDataset",
    "PlaceRequest",
    "PlaceSampler",
    "Views",
    "make_loader",
    "make_view_loader",
    "normalised",
    "worker_death",
]
