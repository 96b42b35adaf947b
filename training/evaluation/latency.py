"""How long a query takes, measured as a robot asks: one image at a time, searched by Localizer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from selavpr_core.describer import Describer, Description
from selavpr_core.retrieval import Localizer, Mode
from training.evaluation.descriptions import Descriptions, progress_bar
from training.evaluation.reading import Pixels, read_query

PERCENTILES = (50, 90, 99)
_WARM_UP = 3


class TimedQuery(NamedTuple):
    """A query's description, and the seconds that "preprocessing" and "inference" took."""

    description: Description
    seconds: dict[str, float]


def time_descriptions(
    describer: Describer, paths: Sequence[Path], shorter_side: int | None, progress: bool
) -> list[TimedQuery]:
    """Describe each image alone, after a few that only warm the device up.

    Reading the file is not timed: a robot gets its images from a camera.
    """
    for path in paths[:_WARM_UP]:
        describer(read_query(path, shorter_side))
    timed = []
    with progress_bar("latency", "query", len(paths), progress) as bar:
        for path in paths:
            timed.append(_timed(describer, read_query(path, shorter_side)))
            bar.update()
    return timed


def _timed(describer: Describer, image: Pixels) -> TimedQuery:
    _synchronize(describer)
    started = time.perf_counter()
    batch = describer.preprocess(image)
    _synchronize(describer)
    preprocessed = time.perf_counter()
    description = describer.infer(batch)  # ends with the result on the CPU
    inferred = time.perf_counter()
    return TimedQuery(
        description,
        {"preprocessing": preprocessed - started, "inference": inferred - preprocessed},
    )


def time_search(
    queries: Sequence[TimedQuery],
    database: Descriptions,
    mode: Mode,
    candidates: int,
    count: int,
    progress: bool,
) -> dict[str, dict[str, float]]:
    """Search with each query and return the percentiles of all stages, in milliseconds.

    The codes are held in memory (64 MB for a million places), as on a robot.
    """
    if not queries:
        return {}
    localizer = Localizer(cast(Any, _Places(database)), mode, candidates)
    stages: dict[str, list[float]] = {}
    with progress_bar(f"latency, {mode}", "query", len(queries), progress) as bar:
        for query in queries:
            code, descriptor = (None if part is None else part[0] for part in query.description)
            started = time.perf_counter()
            localizer.localize(code, descriptor, count)
            searched = time.perf_counter() - started
            whole = {"whole": sum(query.seconds.values()) + searched}
            for stage, value in (query.seconds | localizer.last_timings | whole).items():
                stages.setdefault(stage, []).append(1000 * value)
            bar.update()
    return {stage: _percentiles(values) for stage, values in stages.items()}


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    percentiles = zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)
    return {str(p): float(value) for p, value in percentiles} | {"max": max(values)}


def _synchronize(describer: Describer) -> None:
    if describer.device.startswith("cuda"):
        torch.cuda.synchronize(torch.device(describer.device))


class _Widths(NamedTuple):
    code_bytes: int | None
    descriptor_dim: int | None


@dataclass(frozen=True)
class _Places:
    """What a localizer reads of a place map, over descriptions that are no map.

    Images that could not be read have no place: what lies between them is a segment.
    """

    database: Descriptions
    path: str = "the database"

    @property
    def model(self) -> _Widths:
        codes, descriptors = self.database.codes, self.database.descriptors
        return _Widths(
            None if codes is None else codes.shape[1],
            None if descriptors is None else descriptors.shape[1],
        )

    @property
    def codes(self) -> list[NDArray[Any]] | None:
        return self._segments(self.database.codes)

    @property
    def descriptors(self) -> list[NDArray[Any]] | None:
        return self._segments(self.database.descriptors)

    def _segments(self, array: NDArray[Any] | None) -> list[NDArray[Any]] | None:
        return None if array is None else [array[start:stop] for start, stop in self._runs()]

    def _runs(self) -> Iterator[tuple[int, int]]:
        ends = [-1, *sorted(self.database.unreadable), self.database.count]
        return ((before + 1, after) for before, after in pairwise(ends) if after > before + 1)

    def expect_random_access(self, random: bool) -> None:
        """A hint for files of a map; the page cache does without it."""
