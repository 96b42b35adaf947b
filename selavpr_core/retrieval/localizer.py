"""Finding the places of a map that look like a query."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from itertools import count as numbers
from itertools import repeat
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map import ModelInfo, PlaceMap
from selavpr_core.retrieval.hamming import HammingIndex
from selavpr_core.retrieval.inner_products import InnerProducts

Mode = Literal["two-stage", "code", "float"]

_ONE, _MINUS_ONE = np.float32(1), np.float32(-1)
_new_tuple = tuple.__new__


def best_mode(model: ModelInfo) -> Mode:
    """Return two-stage, or the mode of the only branch that the model has."""
    if model.code_bytes is None:
        return "float"
    return "code" if model.descriptor_dim is None else "two-stage"


class Match(NamedTuple):
    """A place of the map that looks like the query.

    Attributes:
        place: number of the place in the map.
        similarity: cosine of the float descriptors, 1 for the same view; in "code" mode
            1 - 2 * hamming / bits, the cosine of the codes.
        hamming: number of differing bits of the codes; None in "float" mode.
        rank: position in the answer, from 0.
        hamming_rank: position by code alone, from 0; None in "float" mode.
    """

    place: int
    similarity: float
    hamming: int | None
    rank: int
    hamming_rank: int | None


class PlaceSearch:
    """Finds the places that look like a query: what `Localizer` and `GrowingIndex` share.

    Attributes:
        mode: "two-stage" takes the `candidates` nearest codes and ranks them by the cosine of the
            float descriptors; "code" and "float" use one of the two alone, over all places.
        candidates: places that the first stage passes on.
        last_timings: seconds of each stage of the last query: "hamming" and "reranking", the first
            alone in "code" mode, "exhaustive" in "float" mode.

    A query runs on the thread that calls; several threads may call, one at a time is served.
    """

    def __init__(
        self,
        what: str,
        model: ModelInfo,
        mode: Mode,
        candidates: int,
        codes: Sequence[NDArray[np.uint8]] | None,
        descriptors: Sequence[NDArray[np.float16]] | None,
    ) -> None:
        """Prepare the search of places, whose codes and descriptors may come in parts.

        Args:
            what: name of what is searched, for messages.
            model: the model that described the places.
            mode: how to search.
            candidates: how many places the first stage passes on.
            codes: [n, code_bytes] uint8 each, copied into memory.
            descriptors: [n, descriptor_dim] float16 each, read where they are.

        Raises:
            MapError: an unknown mode, one that needs what the model does not give, or fewer than
                one candidate.
        """
        if mode not in get_args(Mode):
            raise MapError(
                f"mode {mode!r} does not exist: choose one of {', '.join(get_args(Mode))}"
            )
        if candidates < 1:
            raise MapError(f"candidates must be at least 1, not {candidates}")
        self.mode = mode
        self.candidates = candidates
        self.last_timings: dict[str, float] = {}
        self._code_bytes = model.code_bytes or 0
        self._dim = model.descriptor_dim or 0
        self._lock = threading.Lock()
        if mode != "float":
            if model.code_bytes is None:
                raise MapError(f"{what} has no codes: only mode float can search it")
            self._hamming = HammingIndex(codes or (), self._code_bytes)
        if mode != "code":
            if model.descriptor_dim is None:
                raise MapError(f"{what} has no descriptors: only mode code can search it")
            self._inner_products = InnerProducts(descriptors or (), self._dim)

    def localize(
        self, code: ArrayLike | None, descriptor: ArrayLike | None, count: int | None = None
    ) -> list[Match]:
        """Find the places most similar to a query.

        Args:
            code: [code_bytes] uint8; may be None in "float" mode.
            descriptor: [descriptor_dim] float; may be None in "code" mode. Its length does not
                matter.
            count: how many matches at most; `candidates` by default. In "two-stage" mode never
                more than `candidates`.

        Returns:
            Matches, best first, ties by lowest place number; empty where there are no places.
            Cosines are those of the stored float16 descriptors, computed in float32; equal
            descriptors give equal cosines.

        Raises:
            MapError: a query that does not have the map's shape or type, that is NaN, infinite
                or all zero, or a negative count.
        """
        count = self.candidates if count is None else count
        if count < 0:
            raise MapError(f"the number of matches cannot be {count}")
        with self._lock:
            if self.mode == "code":
                return self._by_code(self._checked_code(code), count)
            query = self._checked_descriptor(descriptor)
            if self.mode == "float":
                return self._by_descriptor(query, count)
            return self._in_two_stages(self._checked_code(code), query, count)

    def _in_two_stages(
        self, code: NDArray[np.uint8], query: NDArray[np.float32], count: int
    ) -> list[Match]:
        started = time.perf_counter()
        places, distances = self._hamming.search(code, self.candidates)
        searched = time.perf_counter()
        # In the order of places: so on disk, and for the stable sort to settle ties.
        by_place = places.argsort()
        cosines = self._inner_products.of(query, places[by_place])
        best = (-cosines).argsort(kind="stable")[:count]
        ranks = by_place[best]
        matches = _matches(
            places[ranks], _limited(cosines[best]), distances[ranks].tolist(), ranks.tolist()
        )
        ranked = time.perf_counter()
        self.last_timings = {"hamming": searched - started, "reranking": ranked - searched}
        return matches

    def _by_code(self, code: NDArray[np.uint8], count: int) -> list[Match]:
        started = time.perf_counter()
        places, distances = self._hamming.search(code, count)
        cosines = 1 - distances / (4 * self._code_bytes)
        matches = _matches(places, cosines, distances.tolist(), range(len(places)))
        self.last_timings = {"hamming": time.perf_counter() - started}
        return matches

    def _by_descriptor(self, query: NDArray[np.float32], count: int) -> list[Match]:
        started = time.perf_counter()
        places, cosines = self._inner_products.most_similar(query, count)
        matches = _matches(places, _limited(cosines), repeat(None), repeat(None))
        self.last_timings = {"exhaustive": time.perf_counter() - started}
        return matches

    def _checked_code(self, code: ArrayLike | None) -> NDArray[np.uint8]:
        if code is None:
            raise MapError(f"mode {self.mode} needs a code, but the query has none: use mode float")
        array = np.asarray(code)
        if array.shape != (self._code_bytes,) or array.dtype != np.uint8:
            raise MapError(
                f"the query's code has shape {list(array.shape)} and type {array.dtype}, but the "
                f"map needs [{self._code_bytes}] uint8"
            )
        return array

    def _checked_descriptor(self, descriptor: ArrayLike | None) -> NDArray[np.float32]:
        """Return the query at length 1."""
        if descriptor is None:
            raise MapError(
                f"mode {self.mode} needs a descriptor, but the query has none: use mode code"
            )
        array = np.asarray(descriptor, np.float32)
        if array.shape != (self._dim,):
            raise MapError(
                f"the query's descriptor has shape {list(array.shape)}, but the map needs "
                f"[{self._dim}]"
            )
        length = math.sqrt(float(np.dot(array, array)))
        if not 0 < length < math.inf:  # NaN fails too
            raise MapError("the query's descriptor is NaN, infinite or all zero")
        return array * np.float32(1 / length)


class Localizer(PlaceSearch):
    """Searches a place map for the places that look like a query.

    Attributes:
        place_map: the map that is searched.
    """

    def __init__(
        self, place_map: PlaceMap, mode: Mode = "two-stage", candidates: int = 100
    ) -> None:
        """Prepare a map for queries; the codes are copied into memory, descriptors stay on disk.

        Raises:
            MapError: an unknown mode, one that needs what the map does not have, or fewer than
                one candidate.
        """
        super().__init__(
            str(place_map.path),
            place_map.model,
            mode,
            candidates,
            place_map.codes,
            place_map.descriptors,
        )
        self.place_map = place_map
        if mode != "code":
            place_map.expect_random_access(mode == "two-stage")


def _limited(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take back what rounding to float16 added to the length of a stored descriptor."""
    return np.minimum(np.maximum(cosines, _MINUS_ONE), _ONE)


def _matches(
    places: NDArray[np.int64],
    similarities: NDArray[np.floating],
    distances: Iterable[int | None],
    hamming_ranks: Iterable[int | None],
) -> list[Match]:
    # Half the time of calling Match for each: this is a tenth of a query.
    rows = zip(places.tolist(), similarities.tolist(), distances, numbers(), hamming_ranks)
    return list(map(_new_tuple, repeat(Match), rows))
