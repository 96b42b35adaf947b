"""Which groups fill which batches of an epoch."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Part(NamedTuple):
    """Some places of one group in a batch: which ones is drawn anew each epoch."""

    group: int
    places: int


def lay_out(
    group_sizes: NDArray[np.int64], group_cities: NDArray[np.int32], places: int
) -> list[list[Part]]:
    """Divide groups into batches, so that no batch holds two groups of one city.

    A group fills as many batches as it can alone. What is left over of it is joined with what is
    left over in other cities; where too few cities have anything left, batches stay smaller.

    Args:
        group_sizes: [G] places of each group.
        group_cities: [G] equal numbers mean the same city.
        places: that fill a batch.

    Returns:
        The batches; every place of every group is in exactly one.
    """
    batches = [
        [Part(group, places)]
        for group, size in enumerate(group_sizes.tolist())
        for _ in range(size // places)
    ]
    leftovers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for group, size in enumerate((group_sizes % places).tolist()):
        if size:
            leftovers[int(group_cities[group])].append((-size, group))
    return batches + _join(leftovers, places)


def _join(leftovers: dict[int, list[tuple[int, int]]], places: int) -> list[list[Part]]:
    """Join what is left over, given by city as lists of (-places, group).

    The city with most groups left goes first, since each of them needs a batch of its own; among
    equals the one with most places. Groups of one city alone would make small batches at the end.
    """
    for parts in leftovers.values():
        heapq.heapify(parts)
    cities = [_priority(parts, city) for city, parts in leftovers.items()]
    heapq.heapify(cities)
    batches = []
    while cities:
        batch: list[Part] = []
        room = places
        used = []
        while cities and room:
            city = heapq.heappop(cities)[-1]
            size, group = heapq.heappop(leftovers[city])
            taken = min(-size, room)
            batch.append(Part(group, taken))
            room -= taken
            if size + taken:
                heapq.heappush(leftovers[city], (size + taken, group))
            used.append(city)
        for city in used:
            if leftovers[city]:
                heapq.heappush(cities, _priority(leftovers[city], city))
        batches.append(batch)
    return batches


def _priority(parts: list[tuple[int, int]], city: int) -> tuple[int, int, int]:
    """Return what sorts cities, the one to use first lowest, and the city as the last item."""
    return -len(parts), sum(size for size, _ in parts), city
