"""Stage 2: ranking places by their float descriptors, which stay on disk as float16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import faiss
import numpy as np
from numpy.typing import NDArray

_BATCH = 4  # rows of one call of faiss's distance computer


class Reranker:
    """Computes inner products of a query with a few rows of float16 descriptors where they lie.

    faiss converts and multiplies a row in one pass, without a copy of it: half the time of
    gathering, converting and multiplying one after another. Not for several threads at once.
    """

    def __init__(self, descriptors: Sequence[NDArray[np.float16]], dim: int) -> None:
        """Take the descriptors, a sequence of [n, dim] float16 that are numbered through."""
        self._descriptors = [part for part in descriptors if len(part)]
        counts = [len(part) for part in self._descriptors]
        self._starts = np.cumsum([0, *counts])[:-1]
        self._dim = dim
        # Rows are addressed in units of one float16 from the first part's first value, so that
        # one distance computer reaches all parts, wherever they are mapped.
        addresses = np.array([part.ctypes.data for part in self._descriptors], np.int64)
        self._offsets = (addresses - addresses[:1]) // 2 - self._starts * dim
        self._owner = cast(
            Any,
            faiss.IndexScalarQuantizer(
                dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            ),
        )
        self._computer = self._owner.get_FlatCodesDistanceComputer()
        self._computer.code_size = 2
        if self._descriptors:
            self._computer.codes = faiss.swig_ptr(self._descriptors[0].view(np.uint8).ravel())
        self._query = np.empty(dim, np.float32)
        self._query_pointer = faiss.swig_ptr(self._query)
        self._resize(0)

    def _resize(self, count: int) -> None:
        padded = -(-count // _BATCH) * _BATCH
        self._products = np.empty(padded, np.float32)
        pointers = [faiss.swig_ptr(self._products[i : i + 1]) for i in range(padded)]
        self._targets = [tuple(pointers[i : i + _BATCH]) for i in range(0, padded, _BATCH)]
        self._rows = np.empty(padded, np.int64)

    def products(
        self, query: NDArray[np.float32], places: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the inner product of `query` [dim] with each place's descriptor, [k] float32.

        The array is valid until the next call.
        """
        count = len(places)
        if -(-count // _BATCH) != len(self._targets):
            self._resize(count)
        if count == 0:
            return self._products
        self._query[:] = query
        self._computer.set_query(self._query_pointer)
        self._locate(places, self._rows[:count])
        self._rows[count:] = self._rows[0]
        rows = iter(self._rows.tolist())
        inner_products = self._computer.distances_batch_4
        for a, b, c, d, to in zip(rows, rows, rows, rows, self._targets, strict=True):
            inner_products(a, b, c, d, *to)
        return self._products[:count]

    def _locate(self, places: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Write the address of each place's row, in float16 values from the first part's start."""
        np.multiply(places, self._dim, out=rows)
        if len(self._starts) > 1:
            rows += self._offsets[np.searchsorted(self._starts, places, side="right") - 1]
