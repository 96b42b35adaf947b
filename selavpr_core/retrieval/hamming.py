"""Stage 1: the nearest codes by Hamming distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from selavpr_core.retrieval.one_thread import OneThread

_COUNTING_BYTES = 8 << 20


class HammingIndex:
    """Searches binary codes exhaustively, on one thread: a single query gains nothing from more.

    The codes are copied into memory (64 MB for a million codes of 512 bits), since every query
    reads all of them. Not for several threads at once: buffers are used again for each query.
    """

    def __init__(self, codes: Sequence[NDArray[np.uint8]], code_bytes: int) -> None:
        """Copy the codes, a sequence of [n, code_bytes] uint8 that are numbered through."""
        self._index = cast(Any, faiss.IndexBinaryFlat(8 * code_bytes))
        total = sum(len(part) for part in codes)
        # Sized once: growing it by `add` would hold the codes twice for a moment.
        self._index.xb.resize(total * code_bytes)
        self._index.ntotal = total
        if total:
            memory = faiss.rev_swig_ptr(self._index.xb.data(), total * code_bytes)
            np.concatenate(codes, out=memory.reshape(total, code_bytes))
        self._code_bytes = code_bytes
        self._query = np.empty(code_bytes, np.uint8)
        self._query_pointer = faiss.swig_ptr(self._query)
        self._resize(0)

    def _resize(self, count: int) -> None:
        # Counting sort beats the heap by a third on a small map: fewer branches that cannot be
        # predicted. It needs `count` numbers for each possible distance, so not for large counts.
        self._index.use_heap = count * (self._index.d + 1) * 8 > _COUNTING_BYTES
        self._places = np.empty(count, np.int64)
        self._distances = np.empty(count, np.int32)
        self._pointers = faiss.swig_ptr(self._distances), faiss.swig_ptr(self._places)

    def append(self, codes: NDArray[np.uint8]) -> None:
        """Copy further codes [n, code_bytes] uint8; they get the numbers that follow."""
        rows = np.ascontiguousarray(codes)
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != self._code_bytes:
            raise ValueError(f"codes are {rows.shape} {rows.dtype}, not [n, {self._code_bytes}]")
        self._index.add_c(len(rows), faiss.swig_ptr(rows))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, code: NDArray[np.uint8], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Find the `count` codes nearest to `code` [code_bytes] uint8, all if there are fewer.

        Returns their numbers [k] int64 and their distances in bits [k] int32, sorted by distance,
        ties by lowest number (also where the list ends among equal distances). The arrays are
        valid until the next search.
        """
        count = min(count, len(self))
        if count != len(self._places):
            self._resize(count)
        if count == 0:
            return self._places, self._distances
        self._query[:] = code
        with OneThread():
            # The wrapped `search` allocates its results anew, which costs a tenth of a small map.
            self._index.search_c(1, self._query_pointer, count, *self._pointers)
        return self._places, self._distances
