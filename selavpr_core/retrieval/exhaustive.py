"""Float-only search: every place of the map is compared, in chunks read from disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from selavpr_core.retrieval.one_thread import OneThread

_CHUNK_BYTES = 8 << 20  # copied at a time; smaller chunks pay for more calls


class ExhaustiveSearch:
    """Compares a query with every descriptor of a map; memory is bounded by one chunk.

    Not for several threads at once: buffers are used again for each query.
    """

    def __init__(self, descriptors: Sequence[NDArray[np.float16]], dim: int) -> None:
        """Take the descriptors, a sequence of [n, dim] float16 that are numbered through."""
        self._descriptors = descriptors
        self._rows = max(1, _CHUNK_BYTES // (2 * dim))
        self._index = cast(
            Any,
            faiss.IndexScalarQuantizer(
                dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            ),
        )
        self._index.codes.resize(self._rows * 2 * dim)
        memory = faiss.rev_swig_ptr(self._index.codes.data(), self._rows * 2 * dim)
        self._chunk = memory.view(np.float16).reshape(self._rows, dim)

    def search(
        self, query: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the `count` places (all if there are fewer) most similar to `query` [dim] float32.

        Returns their numbers [k] int64 and inner products [k] float32, sorted by inner product,
        ties by lowest number (also where the list ends among equal ones).
        """
        places, products = np.empty(0, np.int64), np.empty(0, np.float32)
        for first, rows in self._chunks():
            self._chunk[: len(rows)] = rows
            self._index.ntotal = len(rows)
            with OneThread():
                found, best = self._index.search(query[None], min(count, len(rows)))
            products = np.concatenate((products, found[0]))
            # Stable: of equal ones, those of earlier chunks stay in front.
            order = (-products).argsort(kind="stable")[:count]
            places = np.concatenate((places, best[0] + first))[order]
            products = products[order]
        return places, products

    def _chunks(self) -> Iterator[tuple[int, NDArray[np.float16]]]:
        """Yield the number of each chunk's first place, and its rows."""
        first = 0
        for part in self._descriptors:
            for start in range(0, len(part), self._rows):
                yield first + start, part[start : start + self._rows]
            first += len(part)
