"""Stage 1: the nearest codes by Hamming distance."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray


class HammingIndex:
    """Searches binary codes exhaustively, on one thread."""

    def __init__(self, codes: Sequence[NDArray[np.uint8]], code_bytes: int) -> None:
        """Copy the codes, a sequence of [n, code_bytes] uint8 that are numbered through."""
        self._index = faiss.IndexBinaryFlat(8 * code_bytes)
        for part in codes:
            self._index.add(np.ascontiguousarray(part))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, code: NDArray[np.uint8], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the `count` nearest codes (all if there are fewer) and their distances in bits.

        Sorted by distance, ties by lowest number, at the end of the list too.
        """
        count = min(count, len(self))
        if count == 0:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            distances, places = self._index.search(code[None], count)
        finally:
            faiss.omp_set_num_threads(threads)
        return places[0], distances[0]
