"""Calibrating maps, and putting the thresholds to drives that took no part in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.drives import Drives
from selavpr_core.calibration import Answers, Choice, ask_drive, ask_own_places, choose_thresholds
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer, margin

WANTED = (0.9, 0.95, 0.99)


class Case(NamedTuple):
    """What a map is made of, what it is calibrated by, and the drives that are held back."""

    map: tuple[str, ...]
    by: str | None
    held_back: tuple[str, ...]


CASES = (
    Case(("map",), None, ("same day", "autumn", "spring")),
    Case(("map",), "autumn", ("same day", "spring")),
    Case(("map", "autumn"), None, ("same day", "spring")),
    Case(("map", "autumn", "spring"), None, ("same day",)),
)


class Tried(NamedTuple):
    """What thresholds did to a drive that was held back.

    inside, outside: queries from the map, and from the town that it lacks. right, wrong: answers to
    those from inside; false: to those from outside.
    """

    inside: int
    outside: int
    right: int
    wrong: int
    false: int


class Fold(NamedTuple):
    """A map that lacks one town, calibrated: what was chosen, and what it did to each drive."""

    town: int
    kind: str
    choice: Choice
    tried: Mapping[str, Tried]


class Row(NamedTuple):
    """A case and a wanted precision, with a fold for each town that is left out of the map."""

    case: Case
    wanted: float
    folds: Sequence[Fold]


class Figure(NamedTuple):
    """A drive that was held back, over the folds whose thresholds would have been stored.

    precision: with the queries from outside weighted as if they were as many as those from inside;
    NaN where nothing was answered. recall: right answers of the queries from inside.
    """

    answered: int
    precision: float
    recall: float


def measure(drives: Drives, progress: Callable[[], object]) -> list[Row]:
    """Measure every case; `progress` is told of every map that was calibrated."""
    rows = []
    for case in CASES:
        folds = []
        for town in range(drives.towns):
            folds.append(_folds(drives, case, town))
            progress()
        rows += [Row(case, wanted, each) for wanted, *each in zip(WANTED, *folds, strict=True)]
    return rows


def _folds(drives: Drives, case: Case, left_out: int) -> list[Fold]:
    """Calibrate the map that lacks a town, for each wanted precision."""
    towns = [town for town in range(drives.towns) if town != left_out]
    place_map = drives.part(case.map, towns)
    if case.by is None:
        asked = ask_own_places(place_map)
    else:
        asked = ask_drive(place_map, drives.part([case.by], towns))
    choices = [choose_thresholds(asked.answers, wanted) for wanted in WANTED]
    held_back = {
        name: (
            ask_drive(place_map, drives.part([name], towns)).answers,
            _from_elsewhere(place_map, drives.part([name], [left_out])),
        )
        for name in case.held_back
    }
    return [
        Fold(
            left_out,
            asked.kind,
            choice,
            {name: _tried(choice, *answers) for name, answers in held_back.items()},
        )
        for choice in choices
    ]


def _from_elsewhere(
    place_map: PlaceMap, drive: PlaceMap
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the similarities and margins of the answers to a drive through a town not mapped."""
    localizer = Localizer(place_map)
    codes = None if drive.codes is None else np.concatenate(drive.codes)
    found = [
        localizer.localize(None if codes is None else codes[number], drive.gather([number])[0])
        for number in range(len(drive))
    ]
    leads = [margin(matches, place_map.positions) for matches in found]
    return np.array([matches[0].similarity for matches in found]), np.array(leads)


def _tried(
    choice: Choice, answers: Answers, elsewhere: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> Tried:
    similarities, leads = elsewhere
    false = (similarities >= choice.similarity) & (leads >= choice.margin)
    counts = (answers.similarities >= choice.similarity) & (answers.margins >= choice.margin)
    return Tried(
        inside=int(answers.inside.sum()),
        outside=len(similarities),
        right=int((counts & answers.right).sum()),
        wrong=int((counts & answers.inside & ~answers.right).sum()),
        false=int(false.sum()),
    )


def figure(folds: Sequence[Fold], name: str) -> Figure:
    """Return what the thresholds of some folds did to a drive, all taken together."""
    tried = [fold.tried[name] for fold in folds]
    right = sum(one.right for one in tried)
    wrong = sum(one.wrong + one.false * one.inside / one.outside for one in tried)
    return Figure(
        answered=sum(one.right + one.wrong + one.false for one in tried),
        precision=right / (right + wrong) if right + wrong else float("nan"),
        recall=right / max(1, sum(one.inside for one in tried)),
    )
