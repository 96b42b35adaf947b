"""The lowest thresholds whose answers are as often right as is wanted."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.calibration.answers import Answers
from selavpr_core.place_map.calibration import least_bound, most_wanted

# One-sided 97.5 % for a threshold that is given. A chosen one finds the answers better than they
# are: in simulations, 95 % is left of it.
_SIGMAS = 1.96
_ADDED = _SIGMAS**2 / 2
# Standard deviation between drives of the share of wrong answers, in parts of that share: what is
# left of the spread over rendered drives in many lights when that by chance is taken away.
_BETWEEN_DRIVES = 0.25
_MARGINS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
# Share of the largest recall that a larger margin must keep to be preferred.
_KEPT_RECALL = 0.9
_MOST_TIMES = 100.0


class Curve(NamedTuple):
    """Precision and recall over the threshold on the similarity, with that on the margin fixed.

    One point for each similarity that occurred; queries with equal similarities are answered
    together.

    Attributes:
        thresholds: [T] float64, descending.
        precisions: [T] right answers / answers.
        bounds: [T] what the precision is at least, with 95 % confidence, on another drive.
        recalls: [T] right answers / queries from inside; ascending.
        answered: [T] int64, number of answers.
        variances: [T] of the number of wrong answers, by chance alone.
    """

    thresholds: NDArray[np.float64]
    precisions: NDArray[np.float64]
    bounds: NDArray[np.float64]
    recalls: NDArray[np.float64]
    answered: NDArray[np.int64]
    variances: NDArray[np.float64]


class Choice(NamedTuple):
    """A threshold on the similarity and one on the margin, and what they do to the answers.

    Attributes:
        similarity, margin: least values of an answer that counts.
        precision, bound, recall, answered: as in Curve.
        reached: whether precision and bound are what was wanted. If not, the highest precision is
            shown for this choice; with a bound of 0, no precision is shown for any.
    """

    similarity: float
    margin: float
    precision: float
    bound: float
    recall: float
    answered: int
    reached: bool

    @property
    def shown(self) -> float:
        """The highest precision that could have been wanted of these thresholds, 0 to 1."""
        return min(self.precision, most_wanted(self.bound))


def curve(answers: Answers, margin: float = 0.0) -> Curve:
    """Sweep the threshold on the similarity over answers that have at least this margin.

    The bound knows that neighbouring queries fail together: z^2 / 2 wrong answers are added, as
    Agresti and Coull do ("Approximate is better than exact", 1998), and the variance is that of a
    ratio over stretches, where it is larger than the binomial one (Cochran, Sampling Techniques,
    section 3.12). To it comes the variance between drives: another drive, in a light of its own, is
    wrong more or less often than those that were asked.
    """
    kept = np.flatnonzero(answers.margins >= margin)
    kept = kept[(-answers.similarities[kept]).argsort(kind="stable")]
    similarities = answers.similarities[kept]
    right = answers.right[kept]
    # The last of each run of equal similarities.
    ends = np.flatnonzero(np.append(similarities[1:] != similarities[:-1], True)[: len(kept)])
    answered = ends + 1
    hits = right.cumsum()[ends]
    variances = _variances(~right, answers.stretches[kept], ends)
    inside = max(1, int(answers.inside.sum()))
    return Curve(
        thresholds=similarities[ends],
        precisions=hits / answered,
        bounds=_bounds(answered - hits, answered, variances),
        recalls=hits / inside,
        answered=answered,
        variances=variances,
    )


def _bounds(
    wrong: NDArray[np.integer | np.floating],
    answered: NDArray[np.integer | np.floating],
    variances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the least precision of another drive, by the numbers of answers and of wrong ones."""
    shares = np.minimum((wrong + _ADDED) / answered, 1)
    by_chance = (variances + _ADDED) / answered**2
    between_drives = (_BETWEEN_DRIVES * wrong / answered) ** 2
    return np.clip(1 - shares - _SIGMAS * np.sqrt(by_chance + between_drives), 0, 1)


def _variances(
    wrong: NDArray[np.bool_], stretches: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the variance of the number of wrong ones among the first answers up to each end."""
    # Of each stretch s with n_s answers, w_s of them wrong, the sums of n^2, n w and w^2 grow with
    # each answer by what the stretch has so far.
    before = _count_before(stretches, np.ones(len(wrong), np.int64))
    wrong_before = _count_before(stretches, wrong.astype(np.int64))
    squares = (2 * before + 1).cumsum()[ends]
    products = (wrong_before + wrong * (before + 1)).cumsum()[ends]
    wrong_squares = (wrong * (2 * wrong_before + 1)).cumsum()[ends]
    count = ends + 1
    shares = np.minimum((wrong.cumsum()[ends] + _ADDED) / count, 1)
    binomial = count * shares * (1 - shares)
    clustered = wrong_squares - 2 * shares * products + shares**2 * squares
    return np.maximum(binomial - _ADDED, clustered)


def _count_before(groups: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the sum of the values of its group in the rows before it."""
    order = groups.argsort(kind="stable")
    _, starts, lengths = np.unique(groups[order], return_index=True, return_counts=True)
    sums = values[order].cumsum() - values[order]
    before = np.empty(len(groups), np.int64)
    before[order] = sums - np.repeat(sums[starts], lengths)
    return before


def choose_thresholds(answers: Answers, wanted: float) -> Choice:
    """Choose the thresholds of a large recall among those whose precision is as wanted.

    It is where at least the share `wanted` of the answers is right, and where, with 95 %
    confidence, the precision is at most 0.02 lower than that (and at least half of it). Of the
    margins, the largest that keeps nine tenths of the largest recall: how alike all pictures look
    differs from drive to drive and grows with the map, and the margin is free of that. Where none
    is as wanted, the choice is made in the same way among those whose shown precision is highest.

    Raises:
        ValueError: no answer, or a wanted precision outside of (0, 1].
    """
    if not 0 < wanted <= 1:
        raise ValueError(f"a precision of {wanted} cannot be wanted")
    if not len(answers):
        raise ValueError("there is no answer to choose thresholds by")
    sweeps = [(margin, curve(answers, margin)) for margin in _MARGINS]
    sweeps = [(margin, swept) for margin, swept in sweeps if len(swept.thresholds)]
    good = [
        (swept.precisions >= wanted) & (swept.bounds >= least_bound(wanted)) for _, swept in sweeps
    ]
    reached = any(points.any() for points in good)
    if not reached:  # the same choice, among those that the most is shown for
        shown = [np.minimum(swept.precisions, most_wanted(swept.bounds)) for _, swept in sweeps]
        most = max(float(values.max()) for values in shown)
        good = [values >= most for values in shown]
    choices = [
        _at(swept, margin, int(np.flatnonzero(points)[-1]), reached)
        for (margin, swept), points in zip(sweeps, good, strict=True)
        if points.any()
    ]
    enough = _KEPT_RECALL * max(choice.recall for choice in choices)
    return [choice for choice in choices if choice.recall >= enough][-1]


def times_the_queries(answers: Answers, wanted: float) -> float | None:
    """Return how many times as many queries, answered like these, would show the precision.

    1 where these do; None where not even a hundred times as many would: no thresholds tell right
    from wrong answers as well as is wanted.
    """
    times = np.geomspace(1.0, _MOST_TIMES, 100)[:, None]
    least = math.inf
    for margin in _MARGINS:
        swept = curve(answers, margin)
        good = swept.precisions >= wanted
        if not good.any():
            continue
        answered = times * swept.answered[good]
        wrong = answered * (1 - swept.precisions[good])
        shown = _bounds(wrong, answered, times * swept.variances[good]) >= least_bound(wanted)
        if shown.any():
            least = min(least, float(times[shown.any(axis=1).argmax(), 0]))
    return least if math.isfinite(least) else None


def _at(swept: Curve, margin: float, point: int, reached: bool) -> Choice:
    return Choice(
        similarity=float(swept.thresholds[point]),
        margin=margin,
        precision=float(swept.precisions[point]),
        bound=float(swept.bounds[point]),
        recall=float(swept.recalls[point]),
        answered=int(swept.answered[point]),
        reached=reached,
    )
