from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.errors import MapError
from selavpr_core.place_map import ModelInfo, Place
from selavpr_core.place_map.places import checked_columns

from .maps import MODEL, places

FLOAT_ONLY = ModelInfo(MODEL.fingerprint, "random:tiny", "tiny", False, 16, None)
CODE_ONLY = ModelInfo(MODEL.fingerprint, "random:tiny", "tiny", False, None, 8)


def columns(count: int, model: ModelInfo = MODEL, **changed: Any) -> dict[str, Any]:
    contents = places(count, 1, model)
    del contents["thumbnails"]
    return contents | changed


@settings(deadline=None)
@given(count=st.integers(0, 20), model=st.sampled_from([MODEL, FLOAT_ONLY, CODE_ONLY]))
def test_what_fits_comes_back_as_it_was_given(count: int, model: ModelInfo) -> None:
    given_columns = columns(count, model)
    checked = checked_columns(model, given_columns, [b""] * count)
    expected = {name: column for name, column in given_columns.items() if column is not None}
    assert checked.keys() == expected.keys()
    assert all(np.array_equal(checked[name], expected[name]) for name in expected)


def test_lists_become_columns_of_the_types_of_a_map() -> None:
    plain = {
        name: None if column is None else np.asarray(column).tolist()
        for name, column in columns(3).items()
    }
    plain["codes"] = columns(3)["codes"]  # whole numbers alone do not say that they are bytes
    checked = checked_columns(MODEL, plain)
    kinds = {name: column.dtype for name, column in checked.items()}
    assert kinds["positions"] == np.float64
    assert {kinds[n] for n in ("headings", "heading_sigmas", "position_sigmas")} == {
        np.dtype(np.float32)
    }
    assert kinds["stamps"].kind == "i"


@settings(deadline=None)
@given(st.floats(0.5, 1.5, width=32), st.integers(0, 2))
def test_only_descriptors_of_length_1_are_taken(length: float, row: int) -> None:
    descriptors = columns(3)["descriptors"]
    descriptors[row] *= length
    if abs(length - 1) <= 0.009:
        checked_columns(MODEL, columns(3, descriptors=descriptors))
    elif abs(length - 1) >= 0.011:
        with pytest.raises(MapError, match=r"has length [01]\.\d+, not 1"):
            checked_columns(MODEL, columns(3, descriptors=descriptors))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["descriptors", "positions"])
def test_one_value_that_is_not_finite_is_found(column: str, value: float) -> None:
    broken = np.array(columns(5)[column])
    broken[3, 1] = value
    with pytest.raises(MapError, match=r"not finite|must be finite"):
        checked_columns(MODEL, columns(5, **{column: broken}))


@pytest.mark.parametrize("column", ["headings", "heading_sigmas", "position_sigmas"])
def test_what_may_be_unknown_may_be_nan(column: str) -> None:
    checked = checked_columns(MODEL, columns(2, **{column: [np.nan, 0.5]}))
    assert np.isnan(checked[column]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("model", "column"), [(CODE_ONLY, "descriptors"), (FLOAT_ONLY, "codes")], ids=["code", "float"]
)
def test_a_branch_belongs_to_the_model_or_is_refused(model: ModelInfo, column: str) -> None:
    with pytest.raises(MapError, match=f"the map has no {column}, since its model gives none"):
        checked_columns(model, columns(2))
    with pytest.raises(MapError, match=f"the map needs {column}, but none are given"):
        checked_columns(MODEL, columns(2, model))


def test_stamps_are_whole_nanoseconds_unless_there_are_none() -> None:
    with pytest.raises(MapError, match="whole nanoseconds"):
        checked_columns(MODEL, columns(2, stamps=[1.5, 2.0]))
    assert len(checked_columns(MODEL, columns(0, stamps=[]))["stamps"]) == 0


def test_a_place_knows_nothing_that_it_was_not_told() -> None:
    place = Place(code=None, descriptor=None, position=(1.0, 2.0, 0.0), stamp=3)
    assert np.isnan([place.heading, place.heading_sigma, place.position_sigma]).all()
    assert place.thumbnail is None
