"""Asking a map where it is known what is right: its own places, or another drive.

Every query is asked twice: as it is, and with all places hidden that are anywhere near, so that the
map does not show what it sees and every answer is wrong. A robot that is not in the map at all asks
such queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.calibration.answers import Answers
from selavpr_core.evaluation import positives_within
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer, Match, Mode, margin

RADIUS = 25.0
"""Metres from the true position within which an answer is right, as the field's benchmarks do."""

SURROUNDINGS = 4.0
"""Radii within which places may still show what a query sees: all are hidden together."""

SAME_VIEW = np.radians(45.0)
"""Two cameras that face less apart than this have half of their pictures in common."""

LEAST_REVISITS = 100
"""Fewer queries show little: even 100 answers without a wrong one leave room for 5 % wrong ones."""

_STAND_IN_GAP = 0.5  # radii
_SAME_DRIVE = 60 * 10**9  # ns: places recorded within a minute are of one drive, in several bags
_MOST_QUERIES = 5000
_BATCH = 256

Kind = Literal["revisits", "neighbours", "drive"]

Progress = Callable[[int, int], None]
"""Is told the queries asked, and all of them."""


class Asked(NamedTuple):
    """What a map was asked.

    Attributes:
        answers: to all queries.
        kind: what the queries from inside are. "revisits": places seen again on another drive, or
            later on the same; "neighbours": places along the same drive, which stand in for them;
            "drive": frames of another drive.
        left_out: queries that were not asked: the map does not show what they see, or lies so
            close around them that too little of it could stand for being elsewhere.
    """

    answers: Answers
    kind: Kind
    left_out: int


def ask_own_places(
    place_map: PlaceMap,
    mode: Mode = "two-stage",
    candidates: int = 100,
    radius: float = RADIUS,
    progress: Progress | None = None,
) -> Asked:
    """Ask a map where its own places are, at most 5000 of them, evenly spaced.

    What was recorded just before and after is hidden, 100 m to both sides along the drive: only
    another drive, or a later passage, can be the answer. A map with fewer than 100 such places is
    asked for the neighbours along the same drive instead, without those nearer than 12.5 m. (All
    distances in proportion to `radius`.)

    Args:
        place_map: the map; nothing is described anew.
        mode, candidates: of the search, as for Localizer.
        radius: metres from the true position within which an answer is right.
        progress: is told how far it is.

    Raises:
        MapError: as Localizer.
    """
    numbers = _evenly(len(place_map))
    geometry = _Geometry(place_map, place_map, radius)
    revisits = sum(bool(len(s.right)) for s in geometry.surroundings(numbers, gap=np.inf))
    seen_again = revisits >= LEAST_REVISITS
    gap = np.inf if seen_again else _STAND_IN_GAP * radius
    kind: Kind = "revisits" if seen_again else "neighbours"
    return _ask(geometry, numbers, gap, mode, candidates, progress, kind)


def ask_drive(
    place_map: PlaceMap,
    drive: PlaceMap,
    mode: Mode = "two-stage",
    candidates: int = 100,
    radius: float = RADIUS,
    progress: Progress | None = None,
) -> Asked:
    """Ask a map where the places of another drive are, at most 5000 of them, evenly spaced.

    Where the drive goes beyond the map's surroundings, its frames are queries from outside as they
    are. Places of the map that were recorded within a minute of a query are hidden: they are of the
    same drive.

    Args:
        place_map: the map.
        drive: the queries as a map of their own, in the same frame and of the same model.
        mode, candidates, radius, progress: as for `ask_own_places`.

    Raises:
        MapError: as Localizer.
    """
    geometry = _Geometry(place_map, drive, radius)
    numbers = _evenly(len(drive))
    return _ask(geometry, numbers, np.inf, mode, candidates, progress, "drive")


class _Surroundings(NamedTuple):
    """Places around a query: all that are near, those to hide from it, and those that are right."""

    query: int
    near: NDArray[np.int64]
    hidden: NDArray[np.int64]
    right: NDArray[np.int64]


class _Geometry:
    """Where queries lie among the places of a map, and which of these are of the same drive."""

    def __init__(self, place_map: PlaceMap, drive: PlaceMap, radius: float) -> None:
        self.place_map = place_map
        self.drive = drive
        self.radius = radius
        self._within = drive is place_map
        self.segments, self.along = _tracks(drive)

    def surroundings(self, numbers: NDArray[np.int64], gap: float) -> Iterator[_Surroundings]:
        """Yield the surroundings of queries.

        gap: metres; what is of the same drive is hidden within this distance.
        """
        places, queries = self.place_map.positions, self.drive.positions
        reach = SURROUNDINGS * self.radius
        for start in range(0, len(numbers), _BATCH):
            batch = numbers[start : start + _BATCH]
            around = positives_within(queries[batch], places, reach)
            for query, near in zip(batch.tolist(), around, strict=True):
                distances = np.hypot(*(places[near, :2] - queries[query, :2]).T)
                hidden = self._same_drive(query, near) & (distances <= gap)
                right = (distances <= self.radius) & ~hidden & self._same_view(query, near)
                yield _Surroundings(query, near, near[hidden], near[right])

    def _same_drive(self, query: int, near: NDArray[np.int64]) -> NDArray[np.bool_]:
        apart = self.place_map.stamps[near] - self.drive.stamps[query]
        at_once = np.abs(apart) <= _SAME_DRIVE
        if not self._within:
            return at_once
        reach = SURROUNDINGS * self.radius
        beside = np.abs(self.along[near] - self.along[query]) <= reach
        return np.where(self.segments[near] == self.segments[query], beside, at_once)

    def _same_view(self, query: int, near: NDArray[np.int64]) -> NDArray[np.bool_]:
        turn = self.place_map.headings[near] - self.drive.headings[query]
        turn = np.abs(np.angle(np.exp(1j * turn)))
        return np.isnan(turn) | (turn <= SAME_VIEW)


def _ask(
    geometry: _Geometry,
    numbers: NDArray[np.int64],
    gap: float,
    mode: Mode,
    candidates: int,
    progress: Progress | None,
    kind: Kind,
) -> Asked:
    place_map, drive = geometry.place_map, geometry.drive
    asked: list[tuple[int, NDArray[np.int64], bool]] = []  # query, what it may not find, inside
    left_out = 0
    for around in geometry.surroundings(numbers, gap):
        if 2 * len(around.near) > len(place_map):
            left_out += 1
        elif len(around.right):
            asked.append((around.query, around.hidden, True))
            asked.append((around.query, around.near, False))
        elif not len(around.near):
            asked.append((around.query, around.near, False))
        else:
            left_out += 1
    most_hidden = max((len(hidden) for _, hidden, _ in asked), default=0)
    search = _Search(place_map, mode, candidates, most_hidden)
    codes = None if drive.codes is None else np.concatenate(drive.codes)
    similarities, margins, right = [], [], []
    for done, (query, hidden, inside) in enumerate(asked, start=1):
        matches = search.without(
            hidden,
            None if codes is None else codes[query],
            None if drive.descriptors is None else drive.gather([query])[0],
        )
        off = place_map.positions[matches[0].place] - drive.positions[query]
        similarities.append(matches[0].similarity)
        margins.append(margin(matches, place_map.positions))
        right.append(inside and np.hypot(*off[:2]) <= geometry.radius)
        if progress is not None:
            progress(done, len(asked))
    queries = np.array([query for query, _, _ in asked], np.int64)
    answers = Answers(
        similarities=np.array(similarities, np.float64),
        margins=np.array(margins, np.float64),
        right=np.array(right, bool),
        inside=np.array([inside for _, _, inside in asked], bool),
        stretches=np.floor(geometry.along[queries] / (2 * geometry.radius)).astype(np.int64),
    )
    return Asked(answers, kind, left_out)


class _Search:
    """Searches a map as if some of its places were not in it."""

    def __init__(self, place_map: PlaceMap, mode: Mode, candidates: int, most_hidden: int) -> None:
        self._candidates = candidates
        self._localizer = Localizer(place_map, mode, candidates + most_hidden)

    def without(
        self,
        hidden: NDArray[np.int64],
        code: NDArray[np.uint8] | None,
        descriptor: NDArray[np.float32] | None,
    ) -> list[Match]:
        """Return what a Localizer would over the map without the hidden places."""
        gone = set(hidden.tolist())
        found = self._localizer.localize(code, descriptor)
        left = [match for match in found if match.place not in gone]
        if self._localizer.mode != "two-stage":
            return left[: self._candidates]
        ranks = [match.hamming_rank for match in left if match.hamming_rank is not None]
        last = sorted(ranks)[: self._candidates][-1]
        return [m for m in left if m.hamming_rank is not None and m.hamming_rank <= last]


def _evenly(count: int) -> NDArray[np.int64]:
    """Return the numbers of at most 5000 of `count` places, evenly spaced."""
    step = max(1, -(-count // _MOST_QUERIES))
    return np.arange(0, count, step)


def _tracks(drive: PlaceMap) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the segment of each place [N], and how far along the drive it is [N], metres."""
    counts = [segment.count for segment in drive.segments]
    steps = np.hypot(*np.diff(drive.positions[:, :2], axis=0).T)
    along = np.concatenate([np.zeros(min(1, len(drive))), steps.cumsum()])
    return np.repeat(np.arange(len(counts)), counts), along
