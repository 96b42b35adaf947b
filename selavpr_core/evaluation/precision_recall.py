"""Precision and recall of the best match, over the threshold that its similarity must reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve: one point for each similarity that occurred.

    At a threshold t, the queries whose best match has a similarity of at least t are answered.

    Attributes:
        thresholds: [T] float64, descending: the distinct similarities. Queries with equal
            similarities are answered together.
        precisions: [T] right answers / answers.
        recalls: [T] right answers / queries that have a positive; never decreasing.
        area: the sum over the points of precision times the increase in recall (average
            precision, without interpolation); NaN where no query has a positive.
        recall_at_full_precision: the largest recall of a point with precision 1; 0 where there
            is none, NaN where no query has a positive.
        threshold_at_full_precision: the threshold of that point, NaN where there is none.
    """

    thresholds: NDArray[np.float64]
    precisions: NDArray[np.float64]
    recalls: NDArray[np.float64]
    area: float
    recall_at_full_precision: float
    threshold_at_full_precision: float


def precision_recall(
    best_places: ArrayLike,
    similarities: ArrayLike,
    positives: Sequence[ArrayLike],
    count_without_positives: bool,
) -> PrecisionRecall:
    """Sweep a threshold over the similarity of each query's best match.

    Args:
        best_places: [Q] number of the place that each query was matched to.
        similarities: [Q] of that match, higher is more alike; NaN for a query without an answer
            (one that could not be read): it is never answered, and stays in recall's denominator.
        positives: for each query the right places.
        count_without_positives: whether a query without any positive takes part. It can only be
            answered wrongly: it lowers precision, and is never in recall's denominator.
    """
    places = np.asarray(best_places, np.int64)
    scores = np.asarray(similarities, np.float64)
    answerable = np.array([np.size(right) > 0 for right in positives], bool)
    right = np.array([p in np.asarray(r) for p, r in zip(places, positives, strict=True)], bool)
    answered = ~np.isnan(scores)
    if not count_without_positives:
        answered &= answerable
    order = np.flatnonzero(answered)
    order = order[(-scores[order]).argsort(kind="stable")]
    scores = scores[order]
    # The last query of each run of equal similarities: the whole run is answered at its threshold.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(scores) else order
    hits = right[order].cumsum()[ends].astype(np.float64)
    precisions = hits / (ends + 1)
    denominator = int(answerable.sum())
    recalls = hits / denominator if denominator else np.full(len(ends), math.nan)
    full = np.flatnonzero(precisions == 1)
    return PrecisionRecall(
        thresholds=scores[ends],
        precisions=precisions,
        recalls=recalls,
        area=float((precisions * np.diff(recalls, prepend=0)).sum()) if denominator else math.nan,
        recall_at_full_precision=(float(recalls[full[-1]]) if len(full) else 0.0)
        if denominator
        else math.nan,
        threshold_at_full_precision=float(scores[ends[full[-1]]]) if len(full) else math.nan,
    )
