"""What an evaluation found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.evaluation import PrecisionRecall
from selavpr_core.retrieval import Mode


class UnreadableImage(NamedTuple):
    """An image that was left out.

    role: "database" (it cannot be found) or "query" (it counts as failed). number: in its list.
    """

    role: Literal["database", "query"]
    number: int
    path: str
    reason: str


@dataclass(frozen=True)
class ModeResult:
    """Results of one mode of retrieval, for Q queries and rankings of n places.

    Attributes:
        mode: "float", "code" or "two-stage".
        candidates: places that the first stage passed on; None in the other modes.
        rankings: [Q, n] database numbers, best first; -1 where there are no more, and in the whole
            row of a query that could not be read.
        scores: [Q, n] cosine of descriptors, or of codes in "code" mode; NaN beside -1.
        recalls: Recall@N, 0 to 1, for each N; empty without ground truth.
        curve: of the best matches; without points where there is no ground truth.
        latency: for each stage ("preprocessing", "inference", "hamming", "reranking",
            "exhaustive", "whole") the percentiles "50", "90", "99" and "max" in milliseconds;
            empty where it was not measured.
    """

    mode: Mode
    rankings: NDArray[np.int64]
    scores: NDArray[np.float32]
    recalls: dict[int, float]
    curve: PrecisionRecall
    latency: dict[str, dict[str, float]]
    candidates: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything but the rankings, as JSON values (NaN becomes None)."""
        curve = self.curve
        return {
            "mode": self.mode,
            "candidates": self.candidates,
            "recalls": {str(n): _number(value) for n, value in self.recalls.items()},
            "precision_recall": {
                "area": _number(curve.area),
                "recall_at_full_precision": _number(curve.recall_at_full_precision),
                "threshold_at_full_precision": _number(curve.threshold_at_full_precision),
                "thresholds": curve.thresholds.tolist(),
                "precisions": curve.precisions.tolist(),
                "recalls": [_number(value) for value in curve.recalls.tolist()],
            },
            "latency_ms": self.latency,
        }


@dataclass(frozen=True)
class EvaluationResult:
    """Results of one evaluation.

    Attributes:
        protocol: everything that decides about the figures, as JSON values: "set", "variant",
            "rule", "queries_without_positives" ("counted" or "left out"), "query_resize",
            "preprocessing", "weights", "fingerprint", "versions", and so on.
        modes: results by "float", "code", "two-stage"; with several numbers of candidates
            "two-stage-20", "two-stage-50" and so on.
        unavailable: for each mode that the weights cannot do, why.
        database_size, query_count: images of the set, unreadable ones included.
        bytes_per_place: for each mode, what a place takes in a map.
        unreadable: the images that were left out.
        without_positives: how many queries have no positive.
    """

    protocol: dict[str, Any]
    modes: dict[str, ModeResult]
    database_size: int
    query_count: int
    bytes_per_place: dict[str, int]
    unreadable: tuple[UnreadableImage, ...] = ()
    unavailable: dict[str, str] | None = None
    without_positives: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return everything but the rankings, as JSON values (NaN becomes None)."""
        return {
            "protocol": self.protocol,
            "database_size": self.database_size,
            "query_count": self.query_count,
            "queries_without_positives": self.without_positives,
            "modes": {name: mode.to_json() for name, mode in self.modes.items()},
            "unavailable": self.unavailable or {},
            "bytes_per_place": self.bytes_per_place,
            "unreadable": [image._asdict() for image in self.unreadable],
        }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
