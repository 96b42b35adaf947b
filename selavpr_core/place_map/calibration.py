"""What a map knows about its thresholds: the outcome of `selavpr calibrate`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError

_Shares = TypeVar("_Shares", float, NDArray[np.float64])

# How far below the wanted precision the true one may lie, and at most what part of it: of a low
# one, the tolerance alone would be all of it, and a bound of 0 shows nothing.
_TOLERANCE = 0.02
_TOLERATED_PART = 0.5


def least_bound(wanted: float) -> float:
    """Return what a precision must be at least, with 95 % confidence, to be as wanted."""
    return wanted - min(_TOLERANCE, _TOLERATED_PART * wanted)


def most_wanted(bound: _Shares) -> _Shares:
    """Return the highest precision of which this is the `least_bound`."""
    highest: _Shares = np.minimum(bound + _TOLERANCE, bound / (1 - _TOLERATED_PART))
    return highest


@dataclass(frozen=True)
class Calibration:
    """Thresholds at which a map's answers are as often right as was wanted, and how that was found.

    Or those that come closest, where that was not reached.

    An answer counts that has at least this similarity and this margin. The shares are of the
    queries that the thresholds were chosen on, among them some from places outside of the map.

    Attributes:
        similarity: least similarity of the best match, -1 to 1.
        margin: least margin (selavpr_core.retrieval.margin), 0 to 2.
        wanted_precision: the share of right answers that was asked for, 0 to 1.
        precision: the share of answers that are right.
        precision_bound: what the precision is at least, with 95 % confidence.
        recall: the share of the queries from inside of the map that are answered, and rightly.
        queries: number of queries from inside of the map.
        outside: number of queries from outside of it.
        radius: metres from the true position within which an answer is right.
        mode, candidates: of the search; for another one see `similarity_holds`, `margin_holds`.
        places: number of places that the map had. It may have grown since.
        source: where the queries came from, for people.
        created: when, ISO 8601 in UTC.
    """

    similarity: float
    margin: float
    wanted_precision: float
    precision: float
    precision_bound: float
    recall: float
    queries: int
    outside: int
    radius: float
    mode: str
    candidates: int
    places: int
    source: str
    created: str

    def __post_init__(self) -> None:
        for name in ("wanted_precision", "precision", "precision_bound", "recall"):
            if not 0 <= getattr(self, name) <= 1:
                raise MapError(f"{name} of a calibration cannot be {getattr(self, name)}")
        if not (-1 <= self.similarity <= 1 and 0 <= self.margin <= 2):
            raise MapError(
                f"a calibration cannot have similarity {self.similarity}, margin {self.margin}"
            )
        if not 0 < self.radius < math.inf:
            raise MapError(f"the radius of a calibration cannot be {self.radius}")
        if min(self.queries, self.outside) < 0 or min(self.candidates, self.places) < 1:
            raise MapError("a calibration has impossible numbers")

    @property
    def reached(self) -> bool:
        """Whether the precision is what was wanted; else the thresholds are what comes closest."""
        wanted = self.wanted_precision
        return self.precision >= wanted and self.precision_bound >= least_bound(wanted)

    def similarity_holds(self, mode: str, candidates: int) -> bool:
        """Tell whether the similarity means what it did, in a search of this mode and candidates.

        Modes compare different things. In "two-stage" mode the best match is the most similar of
        the candidates: with more of them a wrong one is more similar, too. In the others it is the
        most similar of all places.
        """
        return self.mode == mode and (mode != "two-stage" or self.candidates == candidates)

    def margin_holds(self, mode: str, candidates: int) -> bool:
        """Tell whether the margin means what it did, in a search of this mode and candidates.

        It is over the best candidate elsewhere, and with fewer candidates there may be none. A
        margin of 0 asks nothing of them.
        """
        holds = self.similarity_holds(mode, candidates)
        return holds and (self.margin == 0 or self.candidates == candidates)
