from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_core.retrieval import inner_products
from selavpr_core.retrieval.inner_products import InnerProducts


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    rows = rng.standard_normal(shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def exact(query: np.ndarray, row: np.ndarray) -> float:
    return math.fsum(float(a) * float(b) for a, b in zip(query, row, strict=True))


@pytest.mark.parametrize("dim", [1, 7, 8, 12, 16, 30, 64, 100, 1024, 2048, 4096])
@pytest.mark.parametrize("cuts", [[], [1, 5], [0, 3, 3, 11]])
def test_against_exact_sums(dim: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(dim)
    rows, query = unit(rng, 11, dim).astype(np.float16), unit(rng, dim)
    products = InnerProducts(np.split(rows, cuts), dim)
    for places in ([], [10], [0, 10, 5, 5], list(range(11)), [3, 2, 1]):
        got = products.of(query, np.array(places, np.int64))
        assert got.dtype == np.float32
        assert got.tolist() == pytest.approx([exact(query, rows[n]) for n in places], abs=5e-7)


@pytest.mark.parametrize("dim", [5, 16, 100, 2048, 4096])
def test_equal_rows_give_equal_products_wherever_they_lie(dim: int) -> None:
    # Ties are settled by place number: that needs equality to the last bit.
    rng = np.random.default_rng(dim)
    row = unit(rng, dim).astype(np.float16)
    rows = unit(rng, 41, dim).astype(np.float16)
    rows[::2] = row
    products = InnerProducts([rows[:7], rows[7:8], rows[8:]], dim)
    for _ in range(5):
        query = unit(rng, dim)
        for places in (np.arange(41), np.arange(41)[::-1], np.arange(0, 41, 2), np.array([6, 8])):
            got = products.of(query, places)
            assert len(set(got[places % 2 == 0].tolist())) == 1
        everywhere = products.most_similar(query, 41)
        assert len(set(everywhere[1][everywhere[0] % 2 == 0].tolist())) == 1


def test_extreme_halves_are_converted() -> None:
    # Subnormal, smallest normal and largest values, both signs.
    values = np.array([6e-8, -6e-8, 6.1e-5, 65504, -65504, 0, -0.0, 1], np.float16)
    products = InnerProducts([np.diag(values)], 8)
    query = np.ones(8, np.float32)
    assert products.of(query, np.arange(8)).tolist() == values.astype(np.float32).tolist()


# Components of +-1/4 and 0: sums are exact, so that ties are many and real.
COARSE = st.lists(st.sampled_from([-0.25, 0.0, 0.25]), min_size=6, max_size=6)


@given(
    st.lists(COARSE, max_size=40), COARSE, st.integers(0, 50), st.integers(0, 40), st.integers(1, 9)
)
def test_the_most_similar_against_a_plain_loop(rows, query, count, cut, sweep) -> None:
    descriptors = np.array(rows, np.float16).reshape(-1, 6)
    products = InnerProducts(np.split(descriptors, [min(cut, len(rows))]), 6)
    similarity = [exact(np.array(query), row) for row in descriptors]
    expected = sorted(range(len(rows)), key=lambda n: (-similarity[n], n))[:count]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inner_products, "_SWEEP_ROWS", sweep)
        places, got = products.most_similar(np.array(query, np.float32), count)
    assert places.tolist() == expected
    assert got.tolist() == [similarity[n] for n in expected]


def test_no_descriptors_at_all() -> None:
    for parts in ([], [np.zeros((0, 8), np.float16)]):
        products = InnerProducts(parts, 8)
        places, got = products.most_similar(np.ones(8, np.float32), 5)
        assert len(places) == len(got) == len(products.of(np.ones(8, np.float32), places)) == 0


def test_descriptors_may_come_later() -> None:
    rng = np.random.default_rng(0)
    rows, query = unit(rng, 20, 16).astype(np.float16), unit(rng, 16)
    whole = InnerProducts([rows], 16)
    products = InnerProducts([], 16)
    room = np.full((9, 16), np.nan, np.float16)  # what is not there yet must not be read
    for parts, count in (
        ([], 0), ([rows[:4]], 4), ([rows[4:5], rows[5:11]], 11), ([room], 12), ([], 18), ([], 20),
    ):  # fmt: skip
        room[: max(0, count - 11)] = rows[11:count]
        products.extend(parts, count)
        places = np.arange(count)[::-1].copy()
        assert np.array_equal(products.of(query, places), whole.of(query, places))
        numbers, best = products.most_similar(query, 5)
        assert np.array_equal(best, np.sort(whole.of(query, places))[::-1][:5])
        assert np.array_equal(whole.of(query, numbers), best)
