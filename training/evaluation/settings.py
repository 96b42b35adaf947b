"""How an evaluation is run; what decides about right and wrong belongs to the set."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from selavpr_core.retrieval import Mode
from training.errors import EvaluationError

MODES: tuple[Mode, ...] = ("float", "code", "two-stage")  # in the order of reports


def default_cache() -> Path:
    """Return the folder that descriptors are kept in: ~/.cache/selavpr, or under XDG_CACHE_HOME."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "selavpr" / "descriptors"


def default_workers() -> int:
    """Return how many threads read images: one for each processor, at most 16."""
    return min(16, len(os.sched_getaffinity(0)))


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of one evaluation.

    Attributes:
        modes: of retrieval; None for all that the weights can do.
        candidates: how many places the first stage passes on; two-stage retrieval is reported for
            each.
        ns: the N of Recall@N; the longest ranking is the largest.
        count_without_positives: overrides the set's habit; None keeps it.
        cache: folder of descriptors, which is made.
        workers: threads that read images.
        strict: whether an image that cannot be read ends the evaluation.
        latency_queries: queries, spread over the set, that latency is measured with; 0 for none.
        chunk: database images compared at a time, which bounds the memory.
        progress: whether progress bars are shown, where standard error is a terminal.

    Raises EvaluationError where a number is out of range or a mode unknown.
    """

    modes: tuple[Mode, ...] | None = None
    candidates: tuple[int, ...] = (100,)
    ns: tuple[int, ...] = (1, 5, 10, 100)
    count_without_positives: bool | None = None
    cache: Path = field(default_factory=default_cache)
    workers: int = field(default_factory=default_workers)
    strict: bool = False
    latency_queries: int = 100
    chunk: int = 1 << 16
    progress: bool = True

    def __post_init__(self) -> None:
        for mode in self.modes or ():
            if mode not in MODES:
                raise EvaluationError(f"mode {mode!r}: choose among {', '.join(MODES)}")
        for name in ("candidates", "ns"):
            values = getattr(self, name)
            if not values or min(values) < 1:
                raise EvaluationError(f"{name} {values}: give whole numbers of at least 1")
        if self.modes == ():
            raise EvaluationError(f"no mode: choose among {', '.join(MODES)}")
        if min(self.workers, self.chunk) < 1 or self.latency_queries < 0:
            raise EvaluationError(
                "workers and chunk must be at least 1, latency_queries at least 0"
            )
