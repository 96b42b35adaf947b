"""Finding the places of a map that look like a query."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval.hamming import HammingIndex

Mode = Literal["two-stage", "code", "float"]


class Match(NamedTuple):
    """A place of the map that looks like the query.

    Attributes:
        place: number of the place in the map.
        similarity: cosine of the float descriptors, 1 for the same view; in "code" mode
            1 - 2 * hamming / bits, the cosine of the codes.
        hamming: differing bits of the codes; None in "float" mode.
        rank: position in the answer, from 0.
        hamming_rank: position among the candidates by code alone, from 0; None in "float" mode.
    """

    place: int
    similarity: float
    hamming: int | None
    rank: int
    hamming_rank: int | None


class Localizer:
    """Searches a place map.

    Modes: "two-stage" takes the `candidates` nearest codes and ranks them by their float
    descriptors; "code" and "float" use one of the two alone. Meant for one thread at a time.
    """

    def __init__(
        self, place_map: PlaceMap, mode: Mode = "two-stage", candidates: int = 100
    ) -> None:
        self.place_map = place_map
        self.mode = mode
        self.candidates = candidates
        self.last_timings: dict[str, float] = {}
        if mode not in ("two-stage", "code", "float"):
            raise MapError(f"mode {mode!r} does not exist: choose two-stage, code or float")
        if candidates < 1:
            raise MapError(f"candidates must be at least 1, not {candidates}")
        self._hamming: HammingIndex | None = None
        if mode != "float":
            if place_map.codes is None:
                raise MapError(f"{place_map.path} has no codes: only mode float can search it")
            self._hamming = HammingIndex(place_map.codes, place_map.model.code_bytes or 0)
        if mode != "code" and place_map.descriptors is None:
            raise MapError(f"{place_map.path} has no descriptors: only mode code can search it")

    def localize(
        self, code: ArrayLike | None, descriptor: ArrayLike | None, count: int | None = None
    ) -> list[Match]:
        """Return the best `count` matches, best first, ties by lowest place number."""
        count = self.candidates if count is None else count
        started = time.perf_counter()
        if self.mode == "float":
            query = self._checked_descriptor(descriptor)
            similarities = np.concatenate(
                [part.astype(np.float32) @ query for part in self.place_map.descriptors or ()]
                or [np.empty(0, np.float32)]
            )
            best = np.argsort(-similarities, kind="stable")[:count]
            self.last_timings = {"reranking": time.perf_counter() - started}
            return [
                Match(int(place), float(similarities[place]), None, rank, None)
                for rank, place in enumerate(best)
            ]
        assert self._hamming is not None
        bits = 8 * (self.place_map.model.code_bytes or 0)
        places, distances = self._hamming.search(self._checked_code(code), self.candidates)
        searched = time.perf_counter()
        self.last_timings = {"hamming": searched - started}
        if self.mode == "code":
            return [
                Match(int(place), 1 - 2 * int(distance) / bits, int(distance), rank, rank)
                for rank, (place, distance) in enumerate(
                    zip(places[:count], distances[:count], strict=True)
                )
            ]
        query = self._checked_descriptor(descriptor)
        similarities = self.place_map.gather(places) @ query
        order = np.lexsort((places, -similarities))[:count]
        self.last_timings["reranking"] = time.perf_counter() - searched
        return [
            Match(int(places[i]), float(similarities[i]), int(distances[i]), rank, int(i))
            for rank, i in enumerate(order)
        ]

    def _checked_code(self, code: ArrayLike | None) -> NDArray[np.uint8]:
        size = self.place_map.model.code_bytes
        if code is None or np.shape(code) != (size,):
            raise MapError(f"the query needs a code of {size} bytes for mode {self.mode}")
        return np.ascontiguousarray(code, np.uint8)

    def _checked_descriptor(self, descriptor: ArrayLike | None) -> NDArray[np.float32]:
        size = self.place_map.model.descriptor_dim
        if descriptor is None or np.shape(descriptor) != (size,):
            raise MapError(f"the query needs a descriptor of {size} for mode {self.mode}")
        query = np.asarray(descriptor, np.float32)
        if not np.isfinite(query).all():
            raise MapError("the query's descriptor is not finite (NaN or infinite)")
        return query
