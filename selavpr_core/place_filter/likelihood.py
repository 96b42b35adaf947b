"""What the similarities of one image say for and against places, by their own statistics.

Nearly all places of a map are wrong ones, so the similarities themselves show what a wrong place
looks like to this model in this scenery: above a level u, their tail is close to exponential, with
a scale that the quantiles of the listed similarities give (a few right ones among them hardly move
these). In that scale, z = (s - u) / scale, a similarity means the same whatever the model: how
much rarer a wrong place is that looks as alike. Repeated facades widen the tail, and so every
match counts for less where they stand.

A right place is either missed (its similarity is like that of a wrong one) or stands out by
several scales, rarely by next to nothing: its z has a gamma distribution. A few wrong places are
look-alikes, which stand out as right ones do, so that no single image is proof. The ratio of the
two densities is the likelihood ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MISSED = 0.15  # probability that the right place looks like a wrong one
# Of what a right place stands out by, in scales: a gamma distribution with mean 6 and sigma 3.5.
RIGHT_SHAPE = 3
RIGHT_SCALE = 2.0
ALIKE = 0.01  # share of look-alikes among the wrong places above the level
LEAST_SCALE = 1e-4  # of similarities; below it they are equal up to rounding
MOST = 40.0  # scales: whatever stands out by more is not more certain
FEW = 8  # similarities: fewer show no distribution
# Their scale then: the multi-similarity loss weighs negatives by exp(50 s) (method, Eq. 16).
USUAL_SCALE = 1.0 / 50.0
HALVING = math.log(2.0)  # scales in which an exponential tail falls by half


def excesses(similarities: Array) -> Array:
    """How far similarities [K] stand above the wrong places' level, in scales; 0 below it."""
    if len(similarities) < FEW:
        level = float(similarities.min(initial=1.0))
        return np.clip((similarities - level) / USUAL_SCALE, 0.0, MOST)
    level, upper, top = _quantiles(similarities, (0.5, 0.75, 0.875))
    # Between these quantiles an exponential tail falls by half each time. Where the lower ones are
    # of the bulk of the map, it falls faster farther up; where it seems to fall slower there, right
    # places are among the upper ones.
    lower_scale = max((upper - level) / HALVING, LEAST_SCALE)
    upper_scale = max(min((top - upper) / HALVING, lower_scale), LEAST_SCALE)
    above: Array = np.where(
        similarities < upper,
        (similarities - level) / lower_scale,
        (upper - level) / lower_scale + (similarities - upper) / upper_scale,
    )
    return np.clip(above, 0.0, MOST)


def _quantiles(values: Array, shares: Sequence[float]) -> list[float]:
    """Those of np.quantile, which takes ten times as long for so few values [K]."""
    ascending = np.sort(values)
    found = []
    for share in shares:
        place = share * (len(ascending) - 1)
        below = int(place)
        low, high = float(ascending[below]), float(ascending[min(below + 1, len(ascending) - 1)])
        found.append(low + (high - low) * (place - below))
    return found


def likelihood_ratios(excess: Array, places: int) -> Array:
    """For each listed place, p(similarity | right) / p(similarity | wrong), from excesses [K].

    places: of the whole map. A place that is not listed has the ratio MISSED.
    """
    above = max(int(np.count_nonzero(excess)), 1) / max(places, 1)
    right = standing_out(excess)
    # The usual wrong place has exp(-z); both are divided by that.
    ratios: Array = MISSED + (1.0 - MISSED) / above * right / (1.0 - ALIKE + ALIKE * right)
    return ratios


def standing_out(excess: Array) -> Array:
    """The same of places above the level [K], if it were known that none is a look-alike."""
    normal = RIGHT_SCALE**RIGHT_SHAPE * math.gamma(RIGHT_SHAPE)
    ratios: Array = (
        excess ** (RIGHT_SHAPE - 1) * np.exp(excess * (1.0 - 1.0 / RIGHT_SCALE)) / normal
    )
    return ratios
