from __future__ import annotations

import numpy as np
import pytest

from selavpr_core.place_filter.neighbours import Neighbours


@pytest.mark.parametrize("seed", range(5))
def test_all_places_within_a_cell_are_found_and_none_far_away(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform(-50, 80, (200, 2))
    poses = rng.uniform(-90, 120, (60, 2))
    numbers, found = Neighbours(places, 10.0).around(poses)
    assert np.all(np.diff(numbers) >= 0)
    for number, pose in enumerate(poses):
        mine = found[numbers == number]
        assert len(set(mine)) == len(mine)
        distances = np.hypot(*(places - pose).T)
        assert set(np.flatnonzero(distances <= 10.0)) <= set(mine)
        assert set(mine) <= set(np.flatnonzero(distances <= 30.0))


def test_no_places_have_no_neighbours() -> None:
    numbers, found = Neighbours(np.zeros((0, 2)), 5.0).around(np.zeros((3, 2)))
    assert len(numbers) == len(found) == 0
