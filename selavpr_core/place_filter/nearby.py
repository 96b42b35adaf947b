"""Which places lie around each hypothesis, and how near they are by what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_filter.hypotheses import Hypotheses, wrapped
from selavpr_core.place_filter.neighbours import Pairs
from selavpr_core.place_filter.places import VIEW_SIGMA, Places

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Nearby:
    """Pairs [P] of a hypothesis [H] and a place around it.

    numbers `[P]`: of the hypotheses. places `[P]`: of the places. offsets `[P, 3]`: from the
    hypothesis to the place, metres and radians, no angle where the heading is unknown. nearness
    `[P]`: probability that the camera is in the area that the place stands for, if the hypothesis
    is right; the rest to 1 is ground that is not mapped. reach `[H]`: metres, of typical places.
    """

    numbers: Indices
    places: Indices
    offsets: Array
    nearness: Array
    reach: Array

    @classmethod
    def of(cls, hypotheses: Hypotheses, map_places: Places, around: Pairs) -> Nearby:
        """Look around all hypotheses; around: the pairs that Neighbours finds at their means."""
        numbers, near = around
        # The reach of the places around, by their distance-blind mean: it changes slowly.
        count = len(hypotheses)
        found = np.bincount(numbers, minlength=count)
        reach = np.bincount(numbers, map_places.reaches[near], count) / np.maximum(found, 1)
        area = np.zeros((count, 3, 3))
        area[:, 0, 0] = area[:, 1, 1] = np.maximum(reach, 0.1) ** 2
        area[:, 2, 2] = VIEW_SIGMA**2
        total = hypotheses.covariances[:, :3, :3] + area
        inverse = np.linalg.inv(total)
        peak = np.sqrt(area[:, 0, 0] ** 2 * VIEW_SIGMA**2 / np.linalg.det(total))
        offsets = np.empty((len(numbers), 3))
        offsets[:, :2] = map_places.positions[near, :2] - hypotheses.means[numbers, :2]
        offsets[:, 2] = wrapped(map_places.yaws[near] - hypotheses.means[numbers, 2])
        offsets[~map_places.looks[near], 2] = 0.0
        squared = ((inverse[numbers] @ offsets[:, :, None])[:, :, 0] * offsets).sum(axis=1)
        nearness = peak[numbers] * np.exp(-0.5 * squared) * map_places.shares[near]
        mapped = np.maximum(np.bincount(numbers, nearness, count), 1.0)
        return cls(numbers, near, offsets, nearness / mapped[numbers], reach)
