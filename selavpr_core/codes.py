"""Binary codes: packing, unpacking and Hamming distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SET_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(
    axis=1, dtype=np.uint8
)


def pack_codes(hashes: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Pack the signs of hash features into bytes, most significant bit first.

    `hashes` has shape [..., bits] with bits a multiple of 8; the result is [..., bits / 8] uint8.
    A bit is set where the feature is zero or positive (zero counts as +1, negative zero too).
    NaN raises ValueError: it has no sign.
    """
    hashes = np.asarray(hashes)
    if hashes.shape[-1] % 8:
        raise ValueError(f"the number of bits must be a multiple of 8, not {hashes.shape[-1]}")
    if np.isnan(hashes).any():
        raise ValueError("a hash feature is NaN and has no sign")
    return np.packbits(hashes >= 0, axis=-1)


def unpack_codes(codes: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Unpack codes [..., bytes] into signs [..., 8 * bytes] int8 of +1 and -1."""
    bits = np.unpackbits(np.asarray(codes, dtype=np.uint8), axis=-1).astype(np.int8)
    return 2 * bits - 1


def hamming_distances(code: NDArray[np.uint8], codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Count the bits in which `code` [bytes] differs from each row of `codes` [..., bytes].

    Returns int32 of shape [...]. Meant for a few rows: searching a map is the retrieval's work.
    """
    return _SET_BITS[np.bitwise_xor(code, codes)].sum(axis=-1, dtype=np.int32)
