from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selavpr_core.codes import hamming_distances, pack_codes, unpack_codes

HASHES = arrays(
    np.float32,
    st.tuples(st.integers(0, 4), st.sampled_from([8, 16, 512])),
    elements=st.floats(-2, 2, width=32),
)


def test_most_significant_bit_comes_first() -> None:
    assert pack_codes(np.array([1.0, -1, -1, -1, -1, -1, -1, -1])).tolist() == [0b1000_0000]
    assert pack_codes(np.array([-1.0, -1, -1, -1, -1, -1, 1, -1])).tolist() == [0b0000_0010]


def test_zero_counts_as_positive() -> None:
    assert pack_codes(np.array([0.0, -0.0, -1e-30, 1e-30, -1, -1, -1, -1])).tolist() == [
        0b1101_0000
    ]


@given(HASHES)
def test_unpacking_gives_the_signs(hashes: np.ndarray) -> None:
    signs = unpack_codes(pack_codes(hashes))
    assert signs.shape == hashes.shape
    assert np.array_equal(signs, np.where(hashes >= 0, 1, -1))


@given(HASHES, st.randoms(use_true_random=False))
def test_distance_counts_differing_bits(hashes: np.ndarray, random) -> None:
    codes = pack_codes(hashes)
    code = np.array([random.randrange(256) for _ in range(codes.shape[1])], np.uint8)
    expected = [
        sum((int(a) ^ int(b)).bit_count() for a, b in zip(code, row, strict=True)) for row in codes
    ]
    distances = hamming_distances(code, codes)
    assert distances.dtype == np.int32
    assert distances.tolist() == expected


def test_distance_fits_the_cosine_of_signs() -> None:
    signs = np.random.default_rng(0).standard_normal((2, 512))
    first, second = pack_codes(signs)
    cosine = unpack_codes(first).astype(int) @ unpack_codes(second) / 512
    assert cosine == 1 - 2 * hamming_distances(first, second) / 512


def test_refuses_what_has_no_sign() -> None:
    with pytest.raises(ValueError, match="NaN"):
        pack_codes(np.array([np.nan] * 8))
    with pytest.raises(ValueError, match="multiple of 8"):
        pack_codes(np.zeros(12))
