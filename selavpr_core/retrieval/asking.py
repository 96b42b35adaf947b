"""The places of one map as queries to another."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval.localizer import Localizer, Match


def ask(
    localizer: Localizer, queries: PlaceMap, places: Iterable[int], count: int
) -> Iterator[list[Match]]:
    """Yield what a map answers to each of these places of another map, best first.

    Args:
        localizer: searches the map that is asked; of the same model as `queries`.
        queries: the other map (or the same one, which finds each place itself).
        places: numbers of its places.
        count: how many matches at most.

    Raises IndexError for a number that `queries` does not have.
    """
    firsts = [numbers.start for _, numbers in queries.numbered_segments()]
    for place in places:
        if not 0 <= place < len(queries):
            raise IndexError(f"no place {place} among {len(queries)}")
        number = bisect.bisect_right(firsts, place) - 1
        row = place - firsts[number]
        code = None if queries.codes is None else queries.codes[number][row]
        descriptor = None if queries.descriptors is None else queries.descriptors[number][row]
        yield localizer.localize(code, descriptor, count)
