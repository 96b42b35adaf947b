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
    count, pairs = len(hypotheses), len(nearby.numbers)
    total: Array = np.bincount(numbers, pointing, count).astype(np.float64)
    pointed = total > 0.0
    together = np.where(pointed, certain, 0.0)
    # Rows of weights: their product with a column of the pairs is its mean for each hypothesis.
    association = np.zeros((count, pairs))
    association[numbers, np.arange(pairs)] = pointing / np.where(pointed, total, 1.0)[numbers]

    innovation = together[:, None] * (association @ offsets)
    products = (offsets[:, :, None] * offsets[:, None, :]).reshape(pairs, 9)
    second = together[:, None, None] * (association @ products).reshape(count, 3, 3)
    spread = second - innovation[:, :, None] * innovation[:, None, :]
    # Neighbours look alike within their reach: their mean is better known than they are wide.
    width = np.maximum(spread[:, 0, 0] + spread[:, 1, 1], 1e-9)
    spread *= np.maximum(1.0 - 2.0 * nearby.reach**2 / width, 0.0)[:, None, None]

    along = (MATCH_SHARE * nearby.reach) ** 2
    across = np.minimum(MATCH_ACROSS**2, along)
    projected = (association @ map_places.along[near].reshape(pairs, 4)).reshape(count, 2, 2)
    noise = np.tile(np.eye(3), (count, 1, 1))  # any where nothing is corrected
    noise[:, :2, :2] = (along - across)[:, None, None] * projected
    noise[:, [0, 1], [0, 1]] += across[:, None]
    yaw_sigmas = np.where(map_places.looks[near], MATCH_YAW_SIGMA, UNKNOWN_YAW_SIGMA)
    noise[:, 2, 2] = np.where(pointed, association @ yaw_sigmas**2, 1.0)
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
    offset_up = association @ map_places.positions[near, 2] - hypotheses.heights
    hypotheses.heights = hypotheses.heights + gain_up * offset_up
    hypotheses.height_variances = variances * (1.0 - gain_up)
