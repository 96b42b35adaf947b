"""From a set and a describer to its figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selavpr_core.describer import Describer
from training.evaluation import EvaluationResult, EvaluationSet, EvaluationSettings, evaluate

NS = (1, 5)

Recalls = dict[str, float]


@dataclass
class Figures:
    """What was measured on a set.

    rule: what makes a place a right one. database, queries: images. answerable: queries that have
    a right place. chance: the share of right places, mean over those. recalls: for each mode
    Recall@N by N as text, of all queries. baseline: the same of the other network, by its
    descriptors. unreadable: images that could not be read.
    """

    rule: str
    database: int
    queries: int
    answerable: int
    chance: float
    recalls: dict[str, Recalls]
    baseline: Recalls | None = None
    unreadable: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values; no baseline where none was measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def measure(
    describer: Describer, evaluation_set: EvaluationSet, work: Path, baseline: Describer | None
) -> Figures:
    """Return the figures of a set; descriptions are kept in `work`.

    Raises EvaluationError where nothing can be read or descriptors are not finite.
    """
    settings = EvaluationSettings(ns=NS, cache=work, latency_queries=0)
    result = evaluate(describer, evaluation_set, settings)
    positives = evaluation_set.positives
    shares = [len(right) / result.database_size for right in positives if len(right)]
    figures = Figures(
        rule=evaluation_set.rule,
        database=result.database_size,
        queries=result.query_count,
        answerable=len(shares),
        chance=round(float(np.mean(shares)), 4) if shares else 0.0,
        recalls={name: _recalls(result, name) for name in result.modes},
        unreadable=len(result.unreadable),
    )
    if baseline is not None:
        figures.baseline = _recalls(evaluate(baseline, evaluation_set, settings), "float")
    return figures


def _recalls(result: EvaluationResult, mode: str) -> Recalls:
    return {str(n): round(recall, 4) for n, recall in result.modes[mode].recalls.items()}
