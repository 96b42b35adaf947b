"""A small evaluation whose outcome is known: what the tests of the report look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from selavpr_core.evaluation import precision_recall, recall_at
from selavpr_core.retrieval import Mode
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult, UnreadableImage

PLACES, QUERIES, DEPTH = 30, 12, 10
HOSTILE = '<img src=x onerror=alert(1)>&"quoted"\'.jpg'
DAMAGED = 3  # this query's file is no image
# Rank of the first right place for each query in the float and two-stage modes, 0: beyond all.
FIRST_RIGHT = (1, 1, 2, 3, 1, 0, 1, 1, 5, 1, 0, 1)


def sample_set(folder: Path) -> EvaluationSet:
    """Write images along a bent street; query i belongs to the places 2 i and 2 i + 1."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    street = np.stack([np.minimum(5.0 * np.arange(PLACES), 90.0),
                       np.maximum(0.0, 5.0 * np.arange(PLACES) - 90.0)], axis=1)  # fmt: skip
    database = [folder / f"place{number}.jpg" for number in range(PLACES)]
    queries = [folder / f"query{number}.png" for number in range(QUERIES)]
    for path in (*database, *queries):
        smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        smooth.resize((96, 72), Image.Resampling.BICUBIC).save(path)
    queries[DAMAGED].write_bytes(b"no image")
    query_keys = [path.name for path in queries]
    query_keys[5] = HOSTILE
    query_keys[8] = "a_name_without_a_place_to_break_" * 6
    return EvaluationSet(
        name="sample",
        variant="Made by the tests",
        database=database,
        queries=queries,
        positives=[np.array([2 * query, 2 * query + 1]) for query in range(QUERIES)],
        database_positions=street + np.array([500000.0, 5200000.0]),
        query_positions=street[: 2 * QUERIES : 2] + np.array([500001.0, 5200002.0]),
        rule="6 m",
        count_without_positives=False,
        database_keys=[path.name for path in database],
        query_keys=query_keys,
    )


def mode_result(
    mode: Mode, evaluation_set: EvaluationSet, candidates: int | None = None
) -> ModeResult:
    """Return rankings whose first right place stands where FIRST_RIGHT says."""
    rankings = np.empty((QUERIES, DEPTH), np.int64)
    for query, first in enumerate(FIRST_RIGHT):
        others = [(2 * query + 2 + step) % PLACES for step in range(DEPTH)]
        if first:
            others[first - 1] = 2 * query
        rankings[query] = others
    top = np.linspace(0.95, 0.4, QUERIES).astype(np.float32)  # the first queries are the surest
    scores = top[:, None] - 0.01 * np.arange(DEPTH, dtype=np.float32)
    positives = evaluation_set.positives
    return ModeResult(
        mode,
        rankings,
        scores,
        recall_at(list(rankings), positives, (1, 5, 10), False),
        precision_recall(rankings[:, 0], scores[:, 0], positives, False),
        {"inference": {"50": 4.25, "90": 5.5, "99": 123.4, "max": 1234.5}},
        candidates,
    )


def sample_result(evaluation_set: EvaluationSet) -> EvaluationResult:
    """Return a result of all three modes; the codes know one right place less."""
    code = mode_result("code", evaluation_set)
    rankings: NDArray[np.int64] = code.rankings.copy()
    rankings[0, 0] = 29
    positives = evaluation_set.positives
    code = replace(
        code,
        rankings=rankings,
        recalls=recall_at(list(rankings), positives, (1, 5, 10), False),
        curve=precision_recall(rankings[:, 0], code.scores[:, 0], positives, False),
    )
    modes = {
        "float": mode_result("float", evaluation_set),
        "code": code,
        "two-stage": mode_result("two-stage", evaluation_set, 100),
    }
    return EvaluationResult(
        protocol={
            "set": evaluation_set.name,
            "rule": evaluation_set.rule,
            "queries_without_positives": "left out",
            "weights": "random:tiny",
            "fingerprint": "0123456789abcdef",
            "preprocessing": {"size": [224, 224], "antialias": False},
        },
        modes=modes,
        database_size=PLACES,
        query_count=QUERIES,
        bytes_per_place={"float": 2048, "code": 64, "two-stage": 2112},
        unreadable=(
            UnreadableImage("query", DAMAGED, str(evaluation_set.queries[DAMAGED]), "not an image"),
        ),
    )
