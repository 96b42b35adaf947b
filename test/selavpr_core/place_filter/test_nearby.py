from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_core.place_filter.hypotheses import Hypotheses
from selavpr_core.place_filter.nearby import Nearby
from selavpr_core.place_filter.places import VIEW_SIGMA, Places


def test_nearness_is_what_a_loop_over_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    positions = np.column_stack([3.0 * np.arange(40), rng.normal(0, 0.3, 40), np.zeros(40)])
    headings = rng.normal(0, 0.2, 40)
    headings[5] = np.nan
    places = Places(positions, headings, [0])
    roots = rng.normal(0, 0.7, (3, 5, 5))
    means = np.array([[10.0, 0.5, 0.1, 0, 0], [60.0, -1.0, 3.1, 0, 0], [500.0, 0.0, 0.0, 0, 0]])
    hypotheses = Hypotheses(
        np.full(3, 0.3),
        means,
        roots @ roots.transpose(0, 2, 1),
        np.zeros(3),
        np.ones(3),
        *np.zeros((2, 3), bool),
    )
    nearby = Nearby.of(hypotheses, places, places.neighbours.around(means[:, :2]))
    found = dict(zip(zip(nearby.numbers, nearby.places, strict=True), nearby.nearness, strict=True))
    assert not (nearby.numbers == 2).any()  # nothing is mapped there
    for number in (0, 1):
        mine = nearby.places[nearby.numbers == number]
        reach = np.mean(places.reaches[mine])
        assert nearby.reach[number] == pytest.approx(reach)
        area = np.diag([reach**2, reach**2, VIEW_SIGMA**2])
        total = hypotheses.covariances[number, :3, :3] + area
        raw = {}
        for place in range(40):
            turn = headings[place] - means[number, 2]
            turn = 0.0 if place == 5 else math.remainder(turn, math.tau)
            offset = np.array([*(positions[place, :2] - means[number, :2]), turn])
            share = math.sqrt(np.linalg.det(area) / np.linalg.det(total)) * places.shares[place]
            raw[place] = share * math.exp(-0.5 * offset @ np.linalg.solve(total, offset))
        whole = max(sum(raw[place] for place in mine), 1.0)
        for place in mine:
            assert found[number, place] == pytest.approx(raw[place] / whole)
        assert all(raw[place] < 0.01 for place in set(range(40)) - set(mine))
