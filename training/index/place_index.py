"""An index of places as training reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.datasets.gsv_cities import ABBREVIATED, GsvCities
from training.errors import DatasetError
from training.index.manifest import TABLE, Manifest, file_fingerprint

_ROWS_TOGETHER = 1 << 17


class PlaceIndex:
    """Which images show which place, and which places may share a batch.

    The images of one place are neighbouring rows, and so are the places of one group. Paths are
    kept as one block of text (about 100 bytes an image), which worker processes share.

    Attributes:
        images, places, groups: how many.
        starts: int64 [places + 1]; the rows of place p are starts[p] to starts[p + 1].
        place_groups: int32 [places]; number of the group of each place.
        group_names: "msls/amman/0.1.1", one for each group.
        group_cities: int32 [groups]; equal numbers mean the same city, be it of one dataset or of
            several: their places may be the same on the ground. See `same_city`.
        fingerprint: sha256 of the index's table.
    """

    def __init__(
        self,
        manifest: Manifest,
        paths: pa.ChunkedArray,
        starts: NDArray[np.int64],
        place_groups: NDArray[np.int32],
        roots: Mapping[str, Path],
    ) -> None:
        self._paths = paths
        self._group_roots = [roots[group.dataset] for group in manifest.groups]
        self.starts = starts
        self.place_groups = place_groups
        self.images = len(paths)
        self.places = len(place_groups)
        self.groups = len(manifest.groups)
        self.group_names = tuple(group.name for group in manifest.groups)
        cities = [same_city(group.dataset, group.city) for group in manifest.groups]
        numbers = {city: number for number, city in enumerate(dict.fromkeys(cities))}
        self.group_cities = np.array([numbers[city] for city in cities], dtype=np.int32)
        self.fingerprint = manifest.fingerprint

    @classmethod
    def load(cls, folder: Path, roots: Mapping[str, Path] | None = None) -> PlaceIndex:
        """Read an index that training.prepare or write_index wrote.

        Args:
            folder: of the index.
            roots: dataset to folder, for datasets that lie elsewhere than where the index was made.

        Raises:
            DatasetError: no index, a damaged one, one of another version, one without places, or
                roots of a dataset that is not in it.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        given = {name: Path(root) for name, root in (roots or {}).items()}
        if unknown := sorted(set(given) - set(manifest.roots)):
            raise DatasetError(
                f"the index {folder} holds no dataset {unknown[0]!r};"
                f" it holds {', '.join(manifest.roots)}"
            )
        table = folder / TABLE
        try:
            if file_fingerprint(table) != manifest.fingerprint:
                raise DatasetError(f"{table} is damaged (other bytes than when it was written)")
            paths, starts, place_groups = _read(table)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{table} cannot be read: {error}") from error
        if not len(place_groups):
            raise DatasetError(f"the index {folder} holds no place")
        known = {name: Path(root) for name, root in manifest.roots.items()}
        return cls(manifest, paths, starts, place_groups, {**known, **given})

    def path(self, row: int) -> Path:
        """Return the absolute path of an image; row from 0 to images - 1."""
        place = int(np.searchsorted(self.starts, row, side="right")) - 1
        root = self._group_roots[self.place_groups[place]]
        return root / self._paths[int(row)].as_py()


def same_city(dataset: str, city: str) -> str:
    """Return what all spellings of one city have in common, over all datasets.

    "BuenosAires", "buenosaires" and "Buenos Aires" are one city; so are "PRS" of GSV-Cities and
    "paris" of MSLS. Capitals, accents, spaces and signs do not count.
    """
    written = ABBREVIATED.get(city, city) if dataset == GsvCities.name else city
    letters = unicodedata.normalize("NFKD", written).casefold()
    return "".join(filter(str.isalnum, letters)) or city


def _read(table: Path) -> tuple[pa.ChunkedArray, NDArray[np.int64], NDArray[np.int32]]:
    """Return the paths, where places start (and the last one ends), and the group of each place."""
    paths: list[pa.Array] = []
    starts: list[NDArray[np.int64]] = []
    groups: list[NDArray[np.int32]] = []
    row, last_place = 0, -1
    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(_ROWS_TOGETHER, columns=["path", "place", "group"]):
            places = batch.column("place").to_numpy()
            first = np.flatnonzero(np.diff(places, prepend=last_place))
            starts.append(first + row)
            groups.append(batch.column("group").to_numpy()[first])
            paths.append(batch.column("path"))
            row, last_place = row + len(places), places[-1]
    starts.append(np.array([row]))
    groups.append(np.empty(0, np.int32))
    return (
        pa.chunked_array(paths, type=pa.string()),
        np.concatenate(starts).astype(np.int64),
        np.concatenate(groups).astype(np.int32),
    )
