"""Stage 2: comparing a query with float descriptors, which stay on disk as float16."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import faiss
import numpy as np
from numpy.typing import NDArray

_BATCH = 4  # rows of one call of faiss's distance computer
_SWEEP_ROWS = 4096  # compared in one go where all places are


class InnerProducts:
    """Computes inner products of a query with rows of float16 descriptors where they lie.

    faiss converts and multiplies a row in one pass, without a copy of it: half the time of
    gathering, converting and multiplying one after another. Every row is added up in the same
    order, so equal rows give equal products. Not for several threads at once.
    """

    def __init__(self, descriptors: Sequence[NDArray[np.float16]], dim: int) -> None:
        """Take the descriptors, a sequence of [n, dim] float16 that are numbered through."""
        self._dim = dim
        self._descriptors: list[NDArray[np.float16]] = []
        self._starts = np.empty(0, np.int64)  # number of each part's first place
        self._offsets = np.empty(0, np.int64)
        self._count = 0
        self._owner = cast(
            Any,
            faiss.IndexScalarQuantizer(
                dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            ),
        )
        self._computer = self._owner.get_FlatCodesDistanceComputer()
        self._computer.code_size = 2
        self.extend(descriptors, sum(len(part) for part in descriptors))
        # Passing `this` spares SWIG from finding it anew in each of the calls of a query.
        self._compare = partial(type(self._computer).distances_batch_4, self._computer.this)
        self._query = np.empty(dim, np.float32)
        self._query_pointer = faiss.swig_ptr(self._query)
        self._reserve(0)

    def extend(self, descriptors: Sequence[NDArray[np.float16]], count: int) -> None:
        """Take further parts [n, dim] float16; from now on there are `count` places.

        The last part may have room for more of them than there are.
        """
        self._count = count
        parts = [part for part in descriptors if len(part)]
        if not parts:
            return
        if not self._descriptors:
            self._computer.codes = faiss.swig_ptr(parts[0].view(np.uint8).ravel())
        self._descriptors += parts
        self._starts = np.cumsum([0, *(len(part) for part in self._descriptors)])[:-1]
        # Rows are addressed in units of one float16 from the first part's first value, so that
        # one distance computer reaches all parts, wherever they are mapped.
        addresses = np.array([part.ctypes.data for part in self._descriptors], np.int64)
        self._offsets = (addresses - addresses[0]) // 2 - self._starts * self._dim

    def _reserve(self, count: int) -> None:
        """Make buffers for `count` products; their addresses are handed to faiss."""
        size = -(-count // _BATCH) * _BATCH
        self._products = np.empty(size, np.float32)
        pointers = [faiss.swig_ptr(self._products[i : i + 1]) for i in range(size)]
        self._targets = [pointers[i::_BATCH] for i in range(_BATCH)]
        self._rows = np.empty(size, np.int64)

    def of(self, query: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the inner product of `query` [dim] with each of the places [k], as [k] float32.

        The array is valid until the next call.
        """
        count = len(places)
        if count > len(self._products):
            self._reserve(count)
        if count == 0:
            return self._products[:0]
        self._query[:] = query
        self._computer.set_query(self._query_pointer)
        padded = -(-count // _BATCH) * _BATCH
        self._locate(places, self._rows[:count])
        self._rows[count:padded] = self._rows[0]
        rows = [iter(self._rows[:padded].tolist())] * _BATCH
        deque(map(self._compare, *rows, *self._targets), maxlen=0)  # a loop without bytecode
        return self._products[:count]

    def most_similar(
        self, query: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Compare with all places; return the best `count` (all if there are fewer).

        Memory is bounded: 4 bytes for each place. Returns the places' numbers [k] int64 and inner
        products [k] float32, sorted by inner product, ties by lowest number.
        """
        products = np.empty(self._count, np.float32)
        for start in range(0, self._count, _SWEEP_ROWS):
            stop = min(start + _SWEEP_ROWS, self._count)
            products[start:stop] = self.of(query, np.arange(start, stop))
        if 0 < count < self._count:
            limit = np.partition(products, -count)[-count]
            best = np.flatnonzero(products >= limit)
        else:
            best = np.arange(self._count)
        best = best[(-products[best]).argsort(kind="stable")[:count]]
        return best, products[best]

    def _locate(self, places: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Write the address of each place's row, in float16 values from the first part's start."""
        np.multiply(places, self._dim, out=rows)
        if len(self._starts) > 1:
            rows += self._offsets[np.searchsorted(self._starts, places, side="right") - 1]
