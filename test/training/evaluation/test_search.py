from __future__ import annotations

import itertools
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer, Mode
from selavpr_core.retrieval.inner_products import InnerProducts
from training.evaluation.search import Ranking, rerank, search_codes, search_descriptors

from ...selavpr_core.place_map.maps import places, write_map

DIM, BYTES = 16, 8
CPU = torch.device("cpu")


def database(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and descriptors in which equal rows are common, so that there are ties."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, max(1, count // 2), count)
    codes = random.integers(0, 4, (count, BYTES)).astype(np.uint8)[rows]
    descriptors = random.standard_normal((count, DIM))[rows]
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return codes, descriptors.astype(np.float16)


def best(keys: Any, readable: Any, count: int) -> list[int]:
    """Sort (key, number) of all that can be read, by plain loops."""
    return [number for _, number in sorted((keys[number], number) for number in readable)][:count]


CASES = st.tuples(
    st.integers(1, 40), st.integers(0, 1000), st.integers(1, 50), st.integers(1, 45), st.booleans()
)


@given(CASES)
@settings(deadline=None, max_examples=40)
def test_chunked_search_against_plain_loops(case) -> None:
    size, seed, count, chunk, gaps = case
    codes, descriptors = database(size, seed)
    random = np.random.default_rng(seed + 1)
    queries = np.concatenate([codes[:2], random.integers(0, 4, (3, BYTES)).astype(np.uint8)])
    vectors = np.concatenate(
        [descriptors[:2].astype(np.float32), random.standard_normal((3, DIM)).astype(np.float32)]
    )
    readable = np.flatnonzero(random.random(size) < 0.7) if gaps else np.arange(size)
    if not len(readable):
        readable = np.array([0])

    by_code = search_codes(queries, codes, readable, count, chunk)
    for query, numbers, distances in zip(queries, by_code.numbers, by_code.values, strict=True):
        bits = [
            sum((int(a) ^ int(b)).bit_count() for a, b in zip(query, row, strict=True))
            for row in codes
        ]
        assert numbers.tolist() == best(bits, readable, count)
        assert distances.tolist() == [bits[number] for number in numbers]

    exact = vectors.astype(np.float64) / np.linalg.norm(vectors, axis=1, keepdims=True)
    by_float = search_descriptors(vectors, descriptors, readable, count, chunk, CPU)
    for query, numbers, cosines in zip(exact, by_float.numbers, by_float.values, strict=True):
        expected = descriptors.astype(np.float64) @ query
        assert len(set(numbers.tolist())) == len(numbers) == min(count, len(readable))
        assert set(numbers.tolist()) <= set(readable.tolist())
        assert cosines == pytest.approx(np.clip(expected[numbers], -1, 1), abs=1e-6)
        assert np.sort(expected[readable])[::-1][: len(numbers)] == pytest.approx(
            expected[numbers], abs=1e-6
        )
        # Equal rows have equal cosines, and the lower number comes first.
        for before, after in itertools.pairwise(numbers):
            if (descriptors[before] == descriptors[after]).all():
                assert before < after


@given(st.integers(1, 60), st.integers(0, 100), st.integers(1, 70))
@settings(deadline=None, max_examples=40)
def test_the_size_of_chunks_changes_nothing(size: int, seed: int, chunk: int) -> None:
    codes, descriptors = database(size, seed)
    readable = np.arange(size)
    vectors = descriptors[::-1].astype(np.float32)
    for count in (1, 10):
        assert_same(
            search_codes(codes, codes, readable, count, chunk),
            search_codes(codes, codes, readable, count, size),
        )
        assert_same(
            search_descriptors(vectors, descriptors, readable, count, chunk, CPU),
            search_descriptors(vectors, descriptors, readable, count, size, CPU),
        )


def test_rounding_in_both_directions_loses_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix product may put one place too low and another too high, each by as much."""
    dim = 2048
    allowed = dim * 2.0**-23  # between two ways of computing a cosine
    query = np.zeros((1, dim), np.float32)
    query[0, 0] = 1
    descriptors = np.zeros((2, dim), np.float16)
    descriptors[:, 0] = 0.25, 0.25 - 3 * 2.0**-13
    apart = float(descriptors[0, 0] - descriptors[1, 0])
    assert allowed < apart < 2 * allowed

    def exactly(self: InnerProducts, query: Any, rows: Any) -> np.ndarray:
        return np.array([0.25 - 0.99 * allowed, 0.25 - apart + 0.99 * allowed], np.float32)[rows]

    monkeypatch.setattr(InnerProducts, "of", exactly)
    assert search_descriptors(query, descriptors, np.arange(2), 1, 2, CPU).numbers.tolist() == [[1]]


def assert_same(one: Ranking, other: Ranking) -> None:
    assert (one.numbers == other.numbers).all()
    assert (one.values == other.values).all()


@pytest.mark.parametrize("mode", ["float", "code", "two-stage"])
def test_a_robot_finds_the_same(tmp_path: Path, mode: Mode) -> None:
    """Bit for bit what `Localizer` answers on a map with the same places."""
    codes, descriptors = database(300, 0)
    contents = {**places(300), "codes": codes, "descriptors": descriptors.astype(np.float32)}
    place_map = PlaceMap.load(write_map(tmp_path / "map", {"one": contents}), None)
    localizer = Localizer(place_map, mode, candidates=30)
    random = np.random.default_rng(5)
    queries = random.integers(0, 4, (40, BYTES)).astype(np.uint8)
    vectors = 3 * random.standard_normal((40, DIM)).astype(np.float32)
    readable = np.arange(300)
    if mode == "float":
        ranking = search_descriptors(vectors, descriptors, readable, 20, 64, CPU)
    else:
        ranking = search_codes(queries, codes, readable, 30 if mode == "two-stage" else 20, 64)
        if mode == "two-stage":
            ranking = rerank(vectors, descriptors, ranking.numbers, 20)
    for i in range(40):
        matches = localizer.localize(queries[i], vectors[i], 20)
        assert [m.place for m in matches] == ranking.numbers[i].tolist()
        if mode == "code":
            assert [m.hamming for m in matches] == ranking.values[i].tolist()
        else:
            assert [m.similarity for m in matches] == ranking.values[i].tolist()


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_near_ties_are_settled_exactly_however_rough_the_product(precision: str) -> None:
    """Descriptors that differ in the last bit of float16: a rough product cannot order them."""
    random = np.random.default_rng(0)
    rows = np.repeat(random.standard_normal((1, 512)) / math.sqrt(512), 200, axis=0)
    rows = rows.astype(np.float16)
    rows.view(np.uint16)[np.arange(200), random.integers(0, 512, 200)] += 1
    query = rows[:1].astype(np.float32)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        found = search_descriptors(query, rows, np.arange(200), 5, 50, CPU)
    finally:
        torch.set_float32_matmul_precision(before)
    whole = rerank(query, rows, np.arange(200)[None], 5)
    assert_same(found, whole)


def test_cosines_never_leave_their_range() -> None:
    row = np.full((1, DIM), 0.2501, np.float16)  # a little longer than 1
    found = search_descriptors(row.astype(np.float32), row, np.arange(1), 1, 1, CPU)
    assert found.values[0, 0] == 1


def test_memory_is_that_of_a_chunk(tmp_path: Path) -> None:
    """A database of 20 MB of descriptors, mapped from a file, is never in memory as a whole."""
    path = tmp_path / "descriptors.npy"
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(20000, 512))
    random = np.random.default_rng(0)
    rows[:] = random.standard_normal((20000, 512), np.float32)
    rows.flush()
    mapped = np.load(path, mmap_mode="r")
    queries = random.standard_normal((3, 512), np.float32)
    codes = np.lib.format.open_memmap(
        tmp_path / "codes.npy", mode="w+", dtype=np.uint8, shape=(20000, 64)
    )
    tracemalloc.start()
    try:
        search_descriptors(queries, mapped, np.arange(20000), 10, 1000, CPU)
        search_codes(codes[:3], codes, np.arange(20000), 10, 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4e6
