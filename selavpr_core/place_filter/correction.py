"""Moving hypotheses towards the places that match, by probabilistic data association.

Bar-Shalom, Daum, Huang, "The Probabilistic Data Association Filter", 2009. What a match says of
the camera is wide along the mapped track, where places are gaps apart, and narrow across it, as
matches lie on the track. That the camera itself may be beside it stays the same from look to look:
that is no noise, and is added to what is stated (FilterSettings.beside), not here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_filter.hypotheses import Hypotheses, wrapped
from selavpr_core.place_filter.nearby import Nearby
from selavpr_core.place_filter.places import UNKNOWN_YAW_SIGMA, Places

Array = NDArray[np.float64]

# One sigma of what a match that is right says: along the track as a share of the places' reach,
# across it in metres, and of the heading.
MATCH_SHARE = 0.5
MATCH_ACROSS = 0.3
MATCH_YAW_SIGMA = math.radians(10.0)


def correct(
    hypotheses: Hypotheses,
    map_places: Places,
    nearby: Nearby,
    pointing: Array,
    certain: Array,
    part: float,
) -> None:
    """Move each hypothesis towards the places that point to it, and narrow it.

    pointing: `[P]`, weights of the places around a hypothesis against each other, 0 for those that
    say nothing. certain: `[H]`, the probability that one of them is right. part: of an independent
    look, above 0 to 1, that this one is; its errors have their variance divided by it.
    """
    numbers, near, offsets = nearby.numbers, nearby.places, nearby.offsets
    count = len(hypotheses)
    total: Array = np.bincount(numbers, pointing, count).astype(np.float64)
    pointed = total > 0.0
    association = pointing / np.where(pointed, total, 1.0)[numbers]
    together = np.where(pointed, certain, 0.0)

    def mean(values: Array) -> Array:
        return np.bincount(numbers, association * values, count).astype(np.float64)

    innovation = together[:, None] * np.stack([mean(offsets[:, axis]) for axis in range(3)], axis=1)
    second = np.empty((count, 3, 3))
    for row in range(3):
        for column in range(row + 1):
            second[:, row, column] = together * mean(offsets[:, row] * offsets[:, column])
            second[:, column, row] = second[:, row, column]
    spread = second - innovation[:, :, None] * innovation[:, None, :]
    # Neighbours look alike within their reach: their mean is better known than they are wide.
    width = np.maximum(spread[:, 0, 0] + spread[:, 1, 1], 1e-9)
    spread *= np.maximum(1.0 - 2.0 * nearby.reach**2 / width, 0.0)[:, None, None]

    along = (MATCH_SHARE * nearby.reach) ** 2
    across = np.minimum(MATCH_ACROSS**2, along)
    noise = np.tile(np.eye(3), (count, 1, 1))  # any where nothing is corrected
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        projected = mean(map_places.along[near, row, column])
        noise[:, row, column] = (along - across) * projected + across * (row == column)
    yaw_sigmas = np.where(map_places.looks[near], MATCH_YAW_SIGMA, UNKNOWN_YAW_SIGMA)
    noise[:, 2, 2] = np.where(pointed, mean(yaw_sigmas**2), 1.0)
    noise /= part

    prior = hypotheses.covariances
    gain = prior[:, :, :3] @ np.linalg.inv(prior[:, :3, :3] + noise)
    turned = gain.transpose(0, 2, 1)
    posterior = prior - together[:, None, None] * (gain @ prior[:, :3, :]) + gain @ spread @ turned
    hypotheses.covariances = 0.5 * (posterior + posterior.transpose(0, 2, 1))
    hypotheses.means = hypotheses.means + (gain @ innovation[:, :, None])[:, :, 0]
    hypotheses.means[:, 2] = wrapped(hypotheses.means[:, 2])

    variances = hypotheses.height_variances
    gain_up = together * variances / (variances + (nearby.reach**2 + 1e-6) / part)
    offset_up = mean(map_places.positions[near, 2]) - hypotheses.heights
    hypotheses.heights = hypotheses.heights + gain_up * offset_up
    hypotheses.height_variances = variances * (1.0 - gain_up)
