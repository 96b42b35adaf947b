from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from test.training.evaluation.fakes import CODE_BYTES, DIM, FakeDescriber, code, vector
from training.errors import EvaluationError
from training.evaluation.descriptions import Descriptions
from training.evaluation.retrieval import (
    bytes_per_place,
    check_readable,
    possible_modes,
    retrieve,
)
from training.evaluation.settings import EvaluationSettings


def described(
    numbers: list[int], kind: type[np.floating], unreadable: tuple[int, ...] = ()
) -> Descriptions:
    codes = np.stack([code(n) for n in numbers])
    vectors = np.stack([vector(n) for n in numbers]).astype(kind)
    codes[list(unreadable)] = 0
    vectors[list(unreadable)] = 0
    return Descriptions(codes, vectors, dict.fromkeys(unreadable, "no image"), len(numbers))


def settings(**values: Any) -> EvaluationSettings:
    return EvaluationSettings(progress=False, workers=1, **values)


@pytest.mark.parametrize(
    ("branches", "wanted", "possible", "lacking"),
    [
        (("float", "hash"), None, ["float", "code", "two-stage"], {}),
        (("float", "hash"), ("two-stage", "float"), ["float", "two-stage"], {}),
        (("float",), None, ["float"], {"code": "no hash", "two-stage": "no hash"}),
        (("hash",), None, ["code"], {"float": "no float", "two-stage": "no float"}),
        (("float",), ("code", "float"), ["float"], {"code": "no hash"}),
    ],
)
def test_the_modes_are_those_that_the_weights_can_do(
    branches: tuple[str, ...], wanted: Any, possible: list[str], lacking: dict[str, str]
) -> None:
    modes, unavailable = possible_modes(FakeDescriber(branches=branches), wanted)  # type: ignore[arg-type]
    assert modes == possible
    assert unavailable == {mode: f"the weights have {why} branch" for mode, why in lacking.items()}


def test_weights_that_can_do_nothing_of_what_is_wanted_are_refused() -> None:
    describer: Any = FakeDescriber(branches=("float",))
    with pytest.raises(
        EvaluationError, match="nothing to evaluate: code: the weights have no hash"
    ):
        possible_modes(describer, ("code",))


def ranked_by_hand(mode: str, query: int, places: list[int], candidates: int) -> list[int]:
    """Database numbers in the order of their scores, by plain loops over pairs."""

    def distance(number: int) -> int:
        return sum(
            bin(int(a) ^ int(b)).count("1") for a, b in zip(code(query), code(number), strict=True)
        )

    def cosine(number: int) -> float:
        return float(vector(query) @ vector(number).astype(np.float16).astype(np.float32))

    rows = range(len(places))
    if mode == "float":
        return sorted(rows, key=lambda row: -cosine(places[row]))
    nearest = sorted(rows, key=lambda row: (distance(places[row]), row))
    if mode == "code":
        return nearest
    return sorted(nearest[:candidates], key=lambda row: -cosine(places[row]))


@pytest.mark.parametrize("mode", ["float", "code", "two-stage"])
@pytest.mark.parametrize("candidates", [3, 50])
def test_rankings_are_those_of_plain_loops(mode: Any, candidates: int) -> None:
    places, queries = list(range(100, 112)), [5, 104, 111]
    found = list(
        retrieve(
            FakeDescriber(),  # type: ignore[arg-type]
            described(places, np.float16), described(queries, np.float32),
            [mode], settings(candidates=(candidates,), ns=(1, 8)),
        )
    )  # fmt: skip
    assert [one.name for one in found] == [mode]
    assert found[0].rankings.shape == (3, 8)
    for row, query in enumerate(queries):
        expected = ranked_by_hand(mode, query, places, candidates)[:8]
        numbers = found[0].rankings[row]
        assert numbers[numbers >= 0].tolist() == expected
        assert np.isnan(found[0].scores[row]).tolist() == (numbers < 0).tolist()
        scores = found[0].scores[row, : len(expected)]
        assert (np.diff(scores) <= 1e-6).all()


def test_two_stage_is_told_for_each_number_of_candidates() -> None:
    found = retrieve(
        FakeDescriber(),  # type: ignore[arg-type]
        described([1, 2, 3], np.float16), described([2], np.float32),
        ["code", "two-stage"], settings(candidates=(1, 3), ns=(1,)),
    )  # fmt: skip
    names = {one.name: (one.mode, one.candidates, one.rankings.tolist()) for one in found}
    assert names == {
        "code": ("code", None, [[1]]),
        "two-stage-1": ("two-stage", 1, [[1]]),
        "two-stage-3": ("two-stage", 3, [[1]]),
    }


def test_what_cannot_be_read_is_neither_found_nor_asked() -> None:
    database = described([1, 2, 3, 4], np.float16, unreadable=(1,))
    queries = described([2, 3], np.float32, unreadable=(0,))
    (found,) = retrieve(FakeDescriber(), database, queries, ["float"], settings(ns=(4,)))  # type: ignore[arg-type]
    assert found.rankings[0].tolist() == [-1] * 4
    assert found.rankings[1, 0] == 2
    assert sorted(found.rankings[1].tolist()) == [-1, 0, 2, 3]
    assert math.isnan(found.scores[1, 3])


def test_sets_of_which_nothing_can_be_read_say_why() -> None:
    some, none = described([1, 2], np.float16), described([1], np.float16, unreadable=(0,))
    check_readable(some, some)
    with pytest.raises(
        EvaluationError, match="no database image can be read: no image; is the root"
    ):
        check_readable(none, some)
    with pytest.raises(EvaluationError, match="no query can be read: no image"):
        check_readable(some, none)


def test_bytes_of_a_place_in_a_map() -> None:
    database = described([1, 2], np.float16)
    assert bytes_per_place(database, "float") == 2 * DIM
    assert bytes_per_place(database, "code") == CODE_BYTES
    assert bytes_per_place(database, "two-stage") == 2 * DIM + CODE_BYTES
