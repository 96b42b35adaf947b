"""The modes of retrieval over descriptions: which can be had, what they find, what they need."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from selavpr_core.describer import Describer
from selavpr_core.retrieval import Mode
from training.errors import EvaluationError
from training.evaluation.descriptions import Descriptions, progress_bar
from training.evaluation.search import Ranking, rerank, search_codes, search_descriptors
from training.evaluation.settings import MODES, EvaluationSettings

_NEEDED = {"float": ("float",), "code": ("hash",), "two-stage": ("float", "hash")}


def possible_modes(
    describer: Describer, wanted: Sequence[Mode] | None
) -> tuple[list[Mode], dict[str, str]]:
    """Return the modes that the weights can do, and for each other one that was wanted why not."""
    there = {"float": describer.descriptor_dim, "hash": describer.code_bytes}
    possible: list[Mode] = []
    unavailable: dict[str, str] = {}
    for mode in wanted or MODES:
        lacking = [branch for branch in _NEEDED[mode] if there[branch] is None]
        if lacking:
            unavailable[mode] = f"the weights have no {' and no '.join(lacking)} branch"
        else:
            possible.append(mode)
    if not possible:
        reasons = "; ".join(f"{mode}: {reason}" for mode, reason in unavailable.items())
        raise EvaluationError(f"nothing to evaluate: {reasons}")
    return [mode for mode in MODES if mode in possible], unavailable


class Found(NamedTuple):
    """What one mode finds: its name in results, and `rankings` and `scores` as in `ModeResult`."""

    name: str
    mode: Mode
    candidates: int | None
    rankings: NDArray[np.int64]
    scores: NDArray[np.float32]


def check_readable(database: Descriptions, queries: Descriptions) -> None:
    """Raise EvaluationError where no image of the database or no query could be read."""
    for what, part in (("database image", database), ("query", queries)):
        if not len(part.readable):
            reason = next(iter(part.unreadable.values()), "there is none")
            raise EvaluationError(f"no {what} can be read: {reason}; is the root folder right?")


def retrieve(
    describer: Describer,
    database: Descriptions,
    queries: Descriptions,
    modes: Sequence[Mode],
    settings: EvaluationSettings,
) -> Iterator[Found]:
    """Search with all queries in each of the modes; `two-stage` once for each candidates.

    database, queries: with something in each, see `check_readable`.
    """
    depth = max(settings.ns)
    for name, mode, candidates, ranking in _searched(describer, database, queries, modes, settings):
        yield Found(name, mode, candidates, *_for_all_queries(ranking, queries, depth))


def _searched(
    describer: Describer,
    database: Descriptions,
    queries: Descriptions,
    modes: Sequence[Mode],
    settings: EvaluationSettings,
) -> Iterator[tuple[str, Mode, int | None, Ranking]]:
    depth, places = max(settings.ns), database.readable
    asked = None if queries.descriptors is None else queries.descriptors[queries.readable]
    if "float" in modes:
        with progress_bar("float search", "place", len(places), settings.progress) as bar:
            ranking = search_descriptors(
                _there(asked),
                _there(database.descriptors),
                places,
                depth,
                settings.chunk,
                torch.device(describer.device),
                bar.update,
            )
        yield "float", "float", None, ranking
    if "code" not in modes and "two-stage" not in modes:
        return
    codes = _there(database.codes)
    passed_on = settings.candidates if "two-stage" in modes else ()
    count = max((*passed_on, depth) if "code" in modes else passed_on)
    with progress_bar("code search", "place", len(places), settings.progress) as bar:
        nearest = search_codes(
            _there(queries.codes)[queries.readable],
            codes,
            places,
            count,
            settings.chunk,
            bar.update,
        )
    if "code" in modes:
        cosines = 1 - nearest.values[:, :depth] / (4 * codes.shape[1])
        yield "code", "code", None, Ranking(nearest.numbers[:, :depth], cosines)
    for candidates in passed_on:
        name = "two-stage" if len(passed_on) == 1 else f"two-stage-{candidates}"
        ranking = rerank(
            _there(asked), _there(database.descriptors), nearest.numbers[:, :candidates], depth
        )
        yield name, "two-stage", candidates, ranking


def _there(array: NDArray[Any] | None) -> NDArray[Any]:
    """Return an array that the modes were chosen by."""
    assert array is not None
    return array


def _for_all_queries(
    ranking: Ranking, queries: Descriptions, depth: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give the queries that could not be read their empty rows, and all rows one length."""
    numbers = np.full((queries.count, depth), -1, np.int64)
    scores = np.full((queries.count, depth), math.nan, np.float32)
    found = ranking.numbers.shape[1]
    numbers[queries.readable, :found] = ranking.numbers
    scores[queries.readable, :found] = ranking.values
    return numbers, scores


def bytes_per_place(database: Descriptions, mode: Mode) -> int:
    """Return what one place takes in a map that can be searched in this mode."""
    parts = {"float": database.descriptors, "hash": database.codes}
    return sum(_there(parts[branch])[0].nbytes for branch in _NEEDED[mode])
