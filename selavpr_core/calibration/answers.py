"""What a map answered to queries of which it is known where they were taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """The best matches of Q queries.

    Attributes:
        similarities: [Q] float64, of the best match, -1 to 1.
        margins: [Q] float64, 0 to 2 (selavpr_core.retrieval.margin); 0 of a single candidate.
        right: [Q] bool, whether the best match lies where the query was taken.
        inside: [Q] bool, whether the map shows what the query sees; False for a query from outside,
            to which every answer is wrong.
        stretches: [Q] int64. Queries of one stretch were taken near each other, and are right or
            wrong together.
    """

    similarities: NDArray[np.float64]
    margins: NDArray[np.float64]
    right: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    stretches: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len({len(column) for column in vars(self).values()}) != 1:
            raise ValueError("every query needs an entry in every column")
        if (self.right & ~self.inside).any():
            raise ValueError("a query from outside cannot have a right answer")

    def __len__(self) -> int:
        return len(self.similarities)
