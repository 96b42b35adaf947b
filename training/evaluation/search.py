"""Exact search of any number of places in bounded memory, as `Localizer` would search them.

The arithmetic is the localizer's: Hamming distances by its index, inner products of a float32 query
with float16 rows by its `InnerProducts`, ties by lowest number. Only the order of work differs:
the database is taken in chunks, each compared with all queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from selavpr_core.retrieval.hamming import HammingIndex
from selavpr_core.retrieval.inner_products import InnerProducts

_CHUNK_BYTES = 1 << 28  # of descriptors in float32, compared at a time
_BLOCK = 1 << 24  # inner products computed at a time

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Ranking:
    """For Q queries the best places, best first, ties by lowest number.

    numbers: [Q, k] int64. values: [Q, k] distances in bits (int32) or cosines (float32).
    """

    numbers: NDArray[np.int64]
    values: NDArray[Any]


def search_codes(
    queries: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    readable: NDArray[np.int64],
    count: int,
    chunk: int,
    progress: Progress = lambda _: None,
) -> Ranking:
    """Find the codes nearest to each query by Hamming distance.

    Args:
        queries: [Q, bytes] uint8.
        codes: [N, bytes] uint8; may be mapped from a file.
        readable: the rows of `codes` to search, ascending.
        count: how many to find; all where there are fewer.
        chunk: rows searched at a time.
        progress: called with the number of rows that were searched.
    """
    best = Ranking(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.int32))
    for rows in _chunks(readable, chunk):
        index = HammingIndex([_take(codes, rows)], codes.shape[1])
        size = min(count, len(rows))
        numbers = np.empty((len(queries), size), np.int64)
        distances = np.empty((len(queries), size), np.int32)
        for i, query in enumerate(queries):
            numbers[i], distances[i] = index.search(query, size)
        best = _merged(best, Ranking(rows[numbers], distances), distances, best.values, count)
        progress(len(rows))
    return best


def search_descriptors(
    queries: NDArray[np.float32],
    descriptors: NDArray[np.float16],
    readable: NDArray[np.int64],
    count: int,
    chunk: int,
    device: torch.device,
    progress: Progress = lambda _: None,
) -> Ranking:
    """Find the descriptors with the largest cosine to each query.

    A matrix product tells which rows can be among the best, with its rounding allowed for; these
    are compared as the localizer does it.

    Args:
        queries: [Q, D] float32, of any length but zero.
        descriptors: [N, D] float16; may be mapped from a file.
        readable, count, chunk, progress: as for `search_codes`.
        device: what computes the matrix products.
    """
    dim = descriptors.shape[1]
    units = _normalised(queries)
    products = InnerProducts([descriptors], dim)
    best = Ranking(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
    # What the product puts too low may lie beside what it puts too high.
    margin = 2 * _rounding(dim)
    on_device = torch.from_numpy(units).to(device)
    for rows in _chunks(readable, max(1, min(chunk, _CHUNK_BYTES // (4 * dim)))):
        part = torch.from_numpy(np.array(_take(descriptors, rows))).to(device).float()
        size = min(count, len(rows))
        numbers = np.empty((len(units), size), np.int64)
        cosines = np.empty((len(units), size), np.float32)
        block = max(1, _BLOCK // len(rows))
        for start in range(0, len(units), block):
            rough = on_device[start : start + block] @ part.T
            limits = rough.topk(size, dim=1).values[:, -1:] - margin
            for i, possible in enumerate((rough >= limits).cpu().numpy(), start):
                candidates = rows[np.flatnonzero(possible)]
                exact = products.of(units[i], candidates)
                order = (-exact).argsort(kind="stable")[:size]
                numbers[i], cosines[i] = candidates[order], exact[order]
        best = _merged(best, Ranking(numbers, cosines), -cosines, -best.values, count)
        progress(len(rows))
    return Ranking(best.numbers, _limited(best.values))


def rerank(
    queries: NDArray[np.float32],
    descriptors: NDArray[np.float16],
    candidates: NDArray[np.int64],
    count: int,
) -> Ranking:
    """Rank each query's candidates [Q, c] by cosine; return the best `count`, ties as above."""
    products = InnerProducts([descriptors], descriptors.shape[1])
    size = min(count, candidates.shape[1])
    numbers = np.empty((len(queries), size), np.int64)
    cosines = np.empty((len(queries), size), np.float32)
    for i, (query, places) in enumerate(
        zip(_normalised(queries), np.sort(candidates, axis=1), strict=True)
    ):
        exact = products.of(query, places)
        order = (-exact).argsort(kind="stable")[:size]
        numbers[i], cosines[i] = places[order], exact[order]
    return Ranking(numbers, _limited(cosines))


def _chunks(readable: NDArray[np.int64], chunk: int) -> list[NDArray[np.int64]]:
    return [readable[start : start + chunk] for start in range(0, len(readable), chunk)]


def _take(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return rows of an array: a view where they follow each other."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    return array[first:last] if last - first == len(rows) else array[rows]


def _merged(
    old: Ranking,
    new: Ranking,
    new_keys: NDArray[Any],
    old_keys: NDArray[Any],
    count: int,
) -> Ranking:
    """Return the best of both, by ascending key; the old numbers are the lower ones."""
    keys = np.concatenate([old_keys, new_keys], axis=1)
    order = keys.argsort(axis=1, kind="stable")[:, :count]
    numbers = np.concatenate([old.numbers, new.numbers], axis=1)
    values = np.concatenate([old.values, new.values], axis=1)
    return Ranking(
        np.take_along_axis(numbers, order, axis=1), np.take_along_axis(values, order, axis=1)
    )


def _normalised(queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length 1, rounded as the localizer rounds them."""
    units = np.empty_like(queries, dtype=np.float32)
    for row, unit in zip(queries, units, strict=True):
        np.multiply(row, np.float32(1 / math.sqrt(float(np.dot(row, row)))), out=unit)
    return units


def _rounding(dim: int) -> float:
    """Return by how much two ways of computing a cosine can differ.

    Adding up n products of unit vectors is off by at most n * 2^-24 in float32, each way; a matrix
    product that was allowed shorter mantissas rounds its factors to 11 or 8 bits as well.
    """
    factors = {"highest": 0.0, "high": 2.0**-10, "medium": 2.0**-7}
    return 1.01 * (dim * 2.0**-23 + 2 * factors[torch.get_float32_matmul_precision()])


def _limited(cosines: NDArray[Any]) -> NDArray[np.float32]:
    """Take back what rounding to float16 added to the length of a stored descriptor."""
    return np.clip(cosines, -1, 1).astype(np.float32, copy=False)
