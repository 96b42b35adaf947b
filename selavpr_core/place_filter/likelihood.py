"""What the similarities of one image say for and against places, by their own statistics.

Nearly all places of a map are wrong ones, so the similarities themselves show what a wrong place
looks like to this model in this scenery: above a level u, their tail is close to exponential, with
a scale that the quantiles of the listed similarities give (a few right ones among them hardly move
a median). In that scale, z = (s - u) / scale, a similarity means the same whatever the model: how
much rarer a wrong place is that looks as alike. Repeated facades widen the tail, and so every
match counts for less where they stand.

A right place is either missed (its similarity is like that of a wrong one) or stands out by
anything up to several scales: its z is taken as exponential too, with a scale KAPPA times larger.
The ratio of the two densities is the likelihood ratio.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MISSED = 0.3  # probability that the right place looks like a wrong one
KAPPA = 2.5  # scale of the right place's similarities over that of the wrong ones
LEAST_SCALE = 1e-4  # of similarities; below it they are equal up to rounding
MOST = 40.0  # scales: whatever stands out by more is not more certain
FEW = 8  # similarities: fewer show no distribution
# Their scale then: the multi-similarity loss weighs negatives by exp(50 s) (method, Eq. 16).
USUAL_SCALE = 1.0 / 50.0


def excesses(similarities: Array) -> Array:
    """How far similarities [K] stand above the wrong places' level, in scales; 0 below it."""
    if len(similarities) < FEW:
        level, scale = float(similarities.min(initial=1.0)), USUAL_SCALE
    else:
        level, upper = (float(q) for q in np.quantile(similarities, (0.5, 0.75)))
        # Between the quantiles at 1/2 and 3/4 an exponential tail falls by half.
        scale = max((upper - level) / math.log(2.0), LEAST_SCALE)
    return np.clip((similarities - level) / scale, 0.0, MOST)


def likelihood_ratios(excess: Array, places: int) -> Array:
    """For each listed place, p(similarity | right) / p(similarity | wrong), from excesses [K].

    places: of the whole map. A place that is not listed has the ratio MISSED.
    """
    above = max(int(np.count_nonzero(excess)), 1) / max(places, 1)
    seen = np.exp(excess * (1.0 - 1.0 / KAPPA)) / (KAPPA * above)
    ratios: Array = MISSED + (1.0 - MISSED) * np.where(excess > 0.0, seen, 0.0)
    return ratios
