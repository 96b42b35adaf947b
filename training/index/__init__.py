"""The index of places that training draws its batches from: one for all datasets."""

from training.index.place_index import PlaceIndex
from training.index.writing import Row, write_index

__all__ = ["PlaceIndex", "Row", "write_index"]
