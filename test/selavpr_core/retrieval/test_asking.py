from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selavpr_core.place_map import ModelInfo, PlaceMap
from selavpr_core.retrieval import Localizer, Mode
from selavpr_core.retrieval.asking import ask
from test.selavpr_core.place_map.maps import MODEL, places, write_map


@pytest.fixture
def asked(tmp_path: Path) -> PlaceMap:
    """Nine places in three segments."""
    contents = {"x": places(3, 3), "lone": places(1, 5), "y": places(5, 4)}
    return PlaceMap.load(write_map(tmp_path / "asked", contents))


@pytest.mark.parametrize(
    "numbers", [range(9), [8, 0, 2, 3, 5], [4, 4, 3, 3], [8], []], ids=["all", "any", "4", "1", "0"]
)
def test_asking_is_localizing_each_place(
    asked: PlaceMap, tmp_path: Path, numbers: list[int]
) -> None:
    first = PlaceMap.load(write_map(tmp_path / "a", {"x": places(9, 1), "y": places(5, 2)}))
    localizer = Localizer(first)
    assert asked.codes is not None
    codes = np.concatenate(asked.codes)
    answers = list(ask(localizer, asked, numbers, 4))
    expected = [localizer.localize(codes[n], asked.gather([n])[0], 4) for n in numbers]
    assert answers == expected


@pytest.mark.parametrize(
    ("dim", "code_bytes", "mode"), [(16, None, "float"), (None, 8, "code"), (16, 8, "two-stage")]
)
def test_a_map_finds_each_of_its_own_places(
    tmp_path: Path, dim: int | None, code_bytes: int | None, mode: Mode
) -> None:
    model = ModelInfo(MODEL.fingerprint, "random:tiny", "tiny", False, dim, code_bytes)
    contents = {"x": places(4, 1, model), "y": places(6, 2, model)}
    itself = PlaceMap.load(write_map(tmp_path / "a", contents, model))
    answers = ask(Localizer(itself, mode), itself, range(10), 1)
    assert [matches[0].place for matches in answers] == list(range(10))


@pytest.mark.parametrize("number", [-1, 9])
def test_a_number_beyond_the_map_is_an_error(asked: PlaceMap, number: int) -> None:
    with pytest.raises(IndexError, match=f"no place {number} among 9"):
        list(ask(Localizer(asked), asked, [number], 1))
