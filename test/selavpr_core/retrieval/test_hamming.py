from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.retrieval import hamming
from selavpr_core.retrieval.hamming import HammingIndex


def oracle(code: np.ndarray, codes: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Sort all places by (distance, number) in plain Python."""
    distances = [
        sum((int(a) ^ int(b)).bit_count() for a, b in zip(code, row, strict=True)) for row in codes
    ]
    ranked = sorted(range(len(codes)), key=lambda place: (distances[place], place))[:count]
    return [(place, distances[place]) for place in ranked]


def found(index: HammingIndex, code: np.ndarray, count: int) -> list[tuple[int, int]]:
    places, distances = index.search(code, count)
    return list(zip(places.tolist(), distances.tolist(), strict=True))


@pytest.fixture(params=["counting", "heap"], autouse=True)
def _method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "heap":
        monkeypatch.setattr(hamming, "_COUNTING_BYTES", 0)


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[np.ndarray], np.ndarray, int]:
    """Codes in parts, drawn from a few kinds so that many are equal; a query; a count."""
    code_bytes = draw(st.sampled_from([1, 3, 8, 32, 64, 66]))
    code = st.binary(min_size=code_bytes, max_size=code_bytes)
    kinds = draw(st.lists(code, min_size=1, max_size=4))
    numbers = draw(st.lists(st.integers(0, len(kinds) - 1), max_size=60))
    codes = np.array([list(kinds[n]) for n in numbers], np.uint8).reshape(-1, code_bytes)
    cuts = sorted(draw(st.lists(st.integers(0, len(codes)), max_size=3)))
    query = draw(st.one_of(st.sampled_from(kinds), code))
    return np.split(codes, cuts), np.frombuffer(query, np.uint8), draw(st.integers(0, 70))


@given(searches())
def test_against_a_plain_loop(search) -> None:
    parts, query, count = search
    index = HammingIndex(parts, len(query))
    codes = np.concatenate(parts)
    assert len(index) == len(codes)
    assert found(index, query, count) == oracle(query, codes, count)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 700, 20_000])
def test_many_equal_codes_over_many_blocks(count: int) -> None:
    rng = np.random.default_rng(count)
    kinds = rng.integers(0, 256, (3, 64), dtype=np.uint8)
    codes = kinds[rng.integers(0, 3, 20_000)]
    index = HammingIndex(np.array_split(codes, 7), 64)
    for query in (kinds[1], rng.integers(0, 256, 64, dtype=np.uint8)):
        distances = np.unpackbits(codes ^ query, axis=1).sum(axis=1)
        expected = np.argsort(distances, kind="stable")[:count]
        places, bits = index.search(query, count)
        assert np.array_equal(places, expected)
        assert np.array_equal(bits, distances[expected])


def test_buffers_do_not_leak_into_the_next_search() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (50, 8), dtype=np.uint8)
    index = HammingIndex([codes], 8)
    for count in (3, 50, 1, 3, 60):
        for query in codes[:5]:
            assert found(index, query, count) == oracle(query, codes, count)


def test_the_codes_are_copied() -> None:
    codes = np.zeros((4, 8), np.uint8)
    index = HammingIndex([codes], 8)
    codes[:] = 255
    assert found(index, np.zeros(8, np.uint8), 1) == [(0, 0)]


@given(searches())
def test_codes_may_come_later(search) -> None:
    parts, query, count = search
    index = HammingIndex(parts[:1], len(query))
    for number, part in enumerate(parts[1:], 2):
        index.append(part)
        codes = np.concatenate(parts[:number])
        assert len(index) == len(codes)
        assert found(index, query, count) == oracle(query, codes, count)


@pytest.mark.parametrize(
    "codes", [np.zeros((2, 7), np.uint8), np.zeros((2, 8), np.int8), np.zeros(8, np.uint8)]
)
def test_codes_that_do_not_fit_are_not_appended(codes: np.ndarray) -> None:
    index = HammingIndex([], 8)
    with pytest.raises(ValueError, match=r"not \[n, 8\]"):
        index.append(codes)
    assert len(index) == 0


def test_appended_codes_are_copied_in_any_order_of_memory() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (6, 8), dtype=np.uint8)
    index = HammingIndex([], 8)
    fortran = np.asfortranarray(codes)
    index.append(fortran)
    index.append(fortran[::2])
    query = codes[2].copy()
    fortran[:] = 0
    assert found(index, query, 2) == [(2, 0), (7, 0)]
