"""What an evaluation compares: database and query images, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EvaluationSet:
    """One protocol, applied to the files of one machine.

    Attributes:
        name: what the set is called on the command line.
        variant: which of the sets of that name it is, a sentence for a person.
        database, queries: the images' files, which may turn out to be missing or damaged.
        positives: for each query the right database numbers, ascending [k] int64.
        database_positions, query_positions: [N, 2] metres east and north on one grid, NaN where
            unknown or too far off for that grid; None for a set without positions.
        rule: what makes a database image a right one: "25 m", "10 frames".
        count_without_positives: whether queries without any positive are in the denominator of
            Recall@N, by the set's published habit.
        database_keys, query_keys: the images' names in reports and prediction files.
        query_shorter_side: pixels that the shorter side of a query is reduced to before
            preprocessing; None leaves queries as they are.
        scored: whether the ground truth is there; without it `positives` are all empty and only
            predictions can be had.
    """

    name: str
    variant: str
    database: Sequence[Path]
    queries: Sequence[Path]
    positives: Sequence[NDArray[np.int64]]
    database_positions: NDArray[np.float64] | None
    query_positions: NDArray[np.float64] | None
    rule: str
    count_without_positives: bool
    database_keys: Sequence[str]
    query_keys: Sequence[str]
    query_shorter_side: int | None = None
    scored: bool = True

    def __post_init__(self) -> None:
        if not len(self.queries) == len(self.query_keys) == len(self.positives):
            raise ValueError("queries, their keys and their positives differ in number")
        if len(self.database) != len(self.database_keys):
            raise ValueError("database images and their keys differ in number")
