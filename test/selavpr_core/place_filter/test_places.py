from __future__ import annotations

import numpy as np

from selavpr_core.place_filter.places import Places

from .roads import straight


def test_headings_of_any_turn_are_the_same() -> None:
    positions, headings = straight(20)
    once = Places(positions, headings + 3.0, [0])
    turned = Places(positions, headings + 3.0 + 2 * np.pi * (np.arange(20) % 3), [0])
    np.testing.assert_allclose(turned.yaws, once.yaws)
    assert np.abs(turned.yaws).max() <= np.pi
    np.testing.assert_allclose(turned.shares, once.shares)
