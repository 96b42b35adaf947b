"""One evaluation, from image files to recall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from selavpr_core.describer import Describer
from selavpr_core.evaluation import PrecisionRecall, precision_recall, recall_at
from training.errors import EvaluationError
from training.evaluation.descriptions import Descriptions, describe_once, image_lists
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.latency import TimedQuery, time_descriptions, time_search
from training.evaluation.protocol import describe_protocol
from training.evaluation.result import EvaluationResult, ModeResult, UnreadableImage
from training.evaluation.retrieval import (
    Found,
    bytes_per_place,
    check_readable,
    possible_modes,
    retrieve,
)
from training.evaluation.settings import EvaluationSettings


def evaluate(
    describer: Describer, evaluation_set: EvaluationSet, settings: EvaluationSettings
) -> EvaluationResult:
    """Describe a set's images, search with all queries in each mode, and score what was found.

    Images that cannot be read are left out and listed in the result; a query that cannot be read
    finds nothing and counts as failed, a database image that cannot be read is never found.

    Raises EvaluationError where nothing can be evaluated, or, with `strict`, an image cannot be
    read; StorageError where another process is writing the same descriptors.
    """
    modes, unavailable = possible_modes(describer, settings.modes)
    database, queries = (
        describe_once(describer, images, settings.cache, settings.workers, settings.progress)
        for images in image_lists(evaluation_set)
    )
    unreadable = (
        *_unreadable("database", evaluation_set.database, database),
        *_unreadable("query", evaluation_set.queries, queries),
    )
    if unreadable and settings.strict:
        listed = "; ".join(f"{image.path} ({image.reason})" for image in unreadable)
        raise EvaluationError(f"{len(unreadable)} images cannot be read: {listed}")
    check_readable(database, queries)
    counted = evaluation_set.count_without_positives
    if settings.count_without_positives is not None:
        counted = settings.count_without_positives
    timed = _timed_queries(describer, evaluation_set, queries, settings)
    depth = max(settings.ns)
    results = {}
    for found in retrieve(describer, database, queries, modes, settings):
        recalls, curve = _scored(evaluation_set, found, settings.ns, counted)
        latency = time_search(
            timed, database, found.mode, found.candidates or depth, depth, settings.progress
        )
        results[found.name] = ModeResult(
            found.mode, found.rankings, found.scores, recalls, curve, latency, found.candidates
        )
    return EvaluationResult(
        protocol=describe_protocol(describer, evaluation_set, settings, counted, len(timed)),
        modes=results,
        database_size=len(evaluation_set.database),
        query_count=len(evaluation_set.queries),
        bytes_per_place={mode: bytes_per_place(database, mode) for mode in modes},
        unreadable=unreadable,
        unavailable=unavailable,
        without_positives=sum(not len(right) for right in evaluation_set.positives),
    )


def _unreadable(
    role: Literal["database", "query"], paths: Sequence[Path], part: Descriptions
) -> Iterator[UnreadableImage]:
    for number, reason in sorted(part.unreadable.items()):
        yield UnreadableImage(role, number, str(paths[number]), reason)


def _timed_queries(
    describer: Describer,
    evaluation_set: EvaluationSet,
    queries: Descriptions,
    settings: EvaluationSettings,
) -> list[TimedQuery]:
    """Time queries that are spread evenly over those that can be read."""
    spread = np.linspace(0, len(queries.readable) - 1, settings.latency_queries)
    chosen = queries.readable[np.unique(spread.round().astype(int))]
    return time_descriptions(
        describer,
        [evaluation_set.queries[number] for number in chosen],
        evaluation_set.query_shorter_side,
        settings.progress,
    )


def _scored(
    evaluation_set: EvaluationSet, found: Found, ns: Sequence[int], counted: bool
) -> tuple[dict[int, float], PrecisionRecall]:
    if not evaluation_set.scored:
        return {}, precision_recall([], [], [], counted)
    positives = evaluation_set.positives
    return (
        recall_at(list(found.rankings), positives, ns, counted),
        precision_recall(found.rankings[:, 0], found.scores[:, 0], positives, counted),
    )
