"""Asking a map where it is known what is right: its own places, or another drive.

Every query is asked twice: as it is, and with all places hidden that are anywhere near, so that the
map does not show what it sees and every answer is wrong. A robot that is not in the map at all asks
such queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.calibration.answers import Answers
from selavpr_core.calibration.recordings import PAUSE, drives, same_recordings
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

# Radii. On rendered drives, neighbours 2.5 m away look as alike as another drive of the same day.
_STAND_IN_GAP = 0.1
_MOST_QUERIES = 5000
_BATCH = 256

Kind = Literal["sessions", "revisits", "neighbours", "drive"]

Progress = Callable[[int, int], None]
"""Is told the queries asked, and all of them."""


class Asked(NamedTuple):
    """What a map was asked.

    Attributes:
        answers: to all queries.
        kind: what the queries from inside are. "sessions": places of a drive that the others of the
            map pass as well; "revisits": places that one drive passes twice; "neighbours": places
            beside others of the same drive, which stand in for a second one; "drive": frames of a
            drive that is not in the map.
        left_out: queries that were not asked: the map does not show what they see, or so much of
            it lies around them that the rest could not stand for being elsewhere.
        crowded: how many of these were left out for the latter.
        own: names of the map's segments that are recordings of the drive that was asked for, and
            were left out of the map for that.
    """

    answers: Answers
    kind: Kind
    left_out: int
    crowded: int = 0
    own: tuple[str, ...] = ()


def ask_own_places(
    place_map: PlaceMap,
    mode: Mode = "two-stage",
    candidates: int = 100,
    radius: float = RADIUS,
    progress: Progress | None = None,
) -> Asked:
    """Ask a map where its own places are, at most 5000 of them, evenly spaced.

    Every drive of a map of several (`drives`) is asked for among the others, as if it were not in
    the map. If fewer than 100 of its places are found to lie on two drives, the map is asked as a
    whole, with what was recorded just before and after hidden, 100 m to both sides along the drive.
    If fewer than 100 are passed again later, only what is nearer than 2.5 m along the drive is
    hidden, and the next places stand in for a second drive. (All distances in proportion to
    `radius`.)

    Args:
        place_map: the map; nothing is described anew.
        mode, candidates: of the search, as for Localizer.
        radius: metres from the true position within which an answer is right.
        progress: is told how far it is.

    Raises:
        MapError: as Localizer.
    """
    step = max(1, -(-len(place_map) // _MOST_QUERIES))
    driven = drives(place_map, _STAND_IN_GAP * radius)
    apart = [
        _Geometry(
            place_map.part([n for other in driven if other is not drive for n in other]),
            place_map.part(drive),
            radius,
            step,
        )
        for drive in driven
        if len(driven) > 1
    ]
    whole = _Geometry(place_map, place_map, radius, step, driven)
    for plan in (
        _Plan("sessions", apart, np.inf),
        _Plan("revisits", [whole], np.inf),
        _Plan("neighbours", [whole], _STAND_IN_GAP * radius),
    ):
        surveys = [_survey(geometry, plan.gap) for geometry in plan.geometries]
        if sum(survey.inside for survey in surveys) >= LEAST_REVISITS:
            break
    return _ask(plan, surveys, mode, candidates, progress)


def ask_drive(
    place_map: PlaceMap,
    drive: PlaceMap,
    mode: Mode = "two-stage",
    candidates: int = 100,
    radius: float = RADIUS,
    progress: Progress | None = None,
    compared: PlaceMap | None = None,
) -> Asked:
    """Ask a map where the places of another drive are, at most 5000 of them, evenly spaced.

    Where the drive goes beyond the map's surroundings, its frames are queries from outside as they
    are. Segments that are made of the drive's own pictures (`same_recordings`) are asked as if they
    were not in the map: no drive finds itself. Those of any other drive are, whatever its stamps.

    Args:
        place_map: the map.
        drive: the queries as a map of their own, in the same frame and of the same model.
        mode, candidates, radius, progress: as for `ask_own_places`.
        compared: more pictures of the drive (`stamps_to_compare`), to know its own segments by;
            they are no queries.

    Raises:
        MapError: as Localizer.
    """
    own = same_recordings(place_map, drive, _STAND_IN_GAP * radius, compared).any(axis=0)
    geometry = _Geometry(
        place_map.part(np.flatnonzero(~own).tolist()) if own.any() else place_map,
        drive,
        radius,
        max(1, -(-len(drive) // _MOST_QUERIES)),
    )
    plan = _Plan("drive", [geometry], np.inf)
    asked = _ask(plan, [_survey(geometry, plan.gap)], mode, candidates, progress)
    names = [place_map.segments[number].name for number in np.flatnonzero(own)]
    return asked._replace(own=tuple(names))


class _Query(NamedTuple):
    """A query, and the places that it may not find."""

    number: int
    hidden: NDArray[np.int64]
    inside: bool


class _LeftOut(Enum):
    """Why a query is not asked: nothing shows what it sees, or too much lies around it."""

    UNSEEN = auto()
    CROWDED = auto()


class _Geometry:
    """Where the places of a drive lie among those of a map, which may be the same."""

    def __init__(
        self,
        place_map: PlaceMap,
        drive: PlaceMap,
        radius: float,
        step: int,
        driven: Sequence[Sequence[int]] = (),
    ) -> None:
        """Take every `step`-th place of the drive as a query; radius: metres.

        driven: numbers of the segments of each drive, where the drive is the map itself.
        """
        self.place_map = place_map
        self.drive = drive
        self.radius = radius
        self._numbers = np.arange(0, len(drive), step)
        counts = [segment.count for segment in drive.segments]
        self._segments = np.repeat(np.arange(len(counts)), counts)
        self._drive_of = np.zeros(len(counts), np.int64)  # each segment
        for drive_number, segments in enumerate(driven):
            self._drive_of[list(segments)] = drive_number
        steps = np.hypot(*np.diff(drive.positions[:, :2], axis=0).T)
        self._along = np.concatenate([np.zeros(min(1, len(drive))), steps.cumsum()])
        self.stretches = np.floor(self._along / (2 * radius)).astype(np.int64)

    def queries(self, gap: float) -> Iterator[_Query | _LeftOut]:
        """Yield each query, if from inside twice; or why it is left out.

        gap: metres; what is of the same drive is hidden within this distance.
        """
        places, asked = self.place_map.positions, self.drive.positions
        for start in range(0, len(self._numbers), _BATCH):
            batch = self._numbers[start : start + _BATCH]
            around = positives_within(asked[batch], places, SURROUNDINGS * self.radius)
            for number, near in zip(batch.tolist(), around, strict=True):
                distances = np.hypot(*(places[near, :2] - asked[number, :2]).T)
                hidden = self._same_drive(number, near) & (distances <= gap)
                right = (distances <= self.radius) & ~hidden & self._same_view(number, near)
                outside = _Query(number, near, inside=False)
                if 2 * len(near) >= len(places):
                    yield _LeftOut.CROWDED  # what is left of the map is not like the map
                elif right.any():
                    yield _Query(number, near[hidden], inside=True)
                    yield outside
                else:
                    yield _LeftOut.UNSEEN if len(near) else outside

    def _same_drive(self, number: int, near: NDArray[np.int64]) -> NDArray[np.bool_]:
        if self.drive is not self.place_map:
            return np.zeros(len(near), bool)  # what is of the drive was left out of the map
        mine, theirs = self._segments[number], self._segments[near]
        apart = self.place_map.stamps[near] - self.drive.stamps[number]
        at_once = (np.abs(apart) <= PAUSE) & (self._drive_of[theirs] == self._drive_of[mine])
        reach = SURROUNDINGS * self.radius
        beside = np.abs(self._along[near] - self._along[number]) <= reach
        return np.where(theirs == mine, beside, at_once)

    def _same_view(self, number: int, near: NDArray[np.int64]) -> NDArray[np.bool_]:
        turn = self.place_map.headings[near] - self.drive.headings[number]
        turn = np.abs(np.angle(np.exp(1j * turn)))
        return np.isnan(turn) | (turn <= SAME_VIEW)


class _Plan(NamedTuple):
    """Who is asked for what; within `gap` metres of a query its own drive is hidden."""

    kind: Kind
    geometries: Sequence[_Geometry]
    gap: float


class _Survey(NamedTuple):
    """How many queries there are, how many are from inside, and at most how much to hide."""

    asked: int
    inside: int
    left_out: int
    crowded: int
    most_hidden: int


def _survey(geometry: _Geometry, gap: float) -> _Survey:
    asked = inside = left_out = crowded = most_hidden = 0
    for query in geometry.queries(gap):
        if isinstance(query, _LeftOut):
            left_out += 1
            crowded += query is _LeftOut.CROWDED
        else:
            asked += 1
            inside += query.inside
            most_hidden = max(most_hidden, len(query.hidden))
    return _Survey(asked, inside, left_out, crowded, most_hidden)


def _ask(
    plan: _Plan,
    surveys: Sequence[_Survey],
    mode: Mode,
    candidates: int,
    progress: Progress | None,
) -> Asked:
    total = sum(survey.asked for survey in surveys)
    rows: list[tuple[float, float, bool, bool, int]] = []
    first_stretch = 0
    for geometry, survey in zip(plan.geometries, surveys, strict=True):
        if not survey.asked:
            continue
        place_map, drive = geometry.place_map, geometry.drive
        codes = None if drive.codes is None else np.concatenate(drive.codes)
        search = _Search(place_map, mode, candidates, survey.most_hidden)
        for query in geometry.queries(plan.gap):
            if isinstance(query, _LeftOut):
                continue
            matches = search.without(
                query.hidden,
                None if codes is None else codes[query.number],
                None if drive.descriptors is None else drive.gather([query.number])[0],
            )
            off = place_map.positions[matches[0].place] - drive.positions[query.number]
            right = query.inside and bool(np.hypot(*off[:2]) <= geometry.radius)
            stretch = first_stretch + int(geometry.stretches[query.number])
            # One candidate has no other to be ahead of, and would seem to be ahead of everything.
            lead = margin(matches, place_map.positions) if candidates > 1 else 0.0
            rows.append((matches[0].similarity, lead, right, query.inside, stretch))
            if progress is not None:
                progress(len(rows), total)
        first_stretch += int(geometry.stretches.max(initial=0)) + 1
    similarities, margins, right_ones, inside, stretches = (
        zip(*rows, strict=True) if rows else ((),) * 5
    )
    answers = Answers(
        similarities=np.array(similarities, np.float64),
        margins=np.array(margins, np.float64),
        right=np.array(right_ones, bool),
        inside=np.array(inside, bool),
        stretches=np.array(stretches, np.int64),
    )
    left_out = sum(survey.left_out for survey in surveys)
    return Asked(answers, plan.kind, left_out, sum(survey.crowded for survey in surveys))


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
