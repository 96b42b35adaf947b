from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap, SegmentWriter

from .maps import LUND, MODEL, places


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[SegmentWriter]:
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer, writer.segment("a", "x") as segment:
        yield segment


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"codes": None}, "needs codes, but none"),
        ({"descriptors": None}, "needs descriptors, but none"),
        ({"codes": np.zeros((3, 9), np.uint8)}, r"codes have shape \[3, 9\], but \[3, 8\] is"),
        ({"codes": np.zeros((3, 8), np.float32)}, "packed into uint8"),
        ({"descriptors": np.eye(3, 15)}, "descriptors have shape"),
        ({"descriptors": np.full((3, 16), np.nan)}, "length nan, not 1"),
        ({"descriptors": np.full((3, 16), 0.5)}, r"length 2\.0, not 1"),
        ({"descriptors": np.zeros((3, 16))}, r"length 0\.0, not 1"),
        ({"positions": np.zeros((3, 2))}, "positions have shape"),
        ({"positions": np.zeros(3)}, "positions have shape"),
        ({"positions": 7.0}, "positions have shape"),
        ({"positions": np.full((3, 3), np.inf)}, "not finite"),
        ({"headings": np.zeros(2)}, "headings have shape"),
        ({"stamps": np.zeros(3)}, "whole nanoseconds"),
        ({"stamps": [1, 2]}, "stamps have shape"),
        ({"thumbnails": [b""]}, "1 thumbnails were given for 3 places"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    segment: SegmentWriter, change: dict[str, Any], problem: str
) -> None:
    segment.add(**places(2))
    with pytest.raises(MapError, match=problem):
        segment.add(**{**places(3), **change})
    segment.add(**places(1))
    assert len(segment) == 3


def test_unknown_values_stay_unknown(tmp_path: Path) -> None:
    contents = places(2)
    for name in ("headings", "heading_sigmas", "position_sigmas"):
        contents[name] = [np.nan, 0.5]
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer, writer.segment("a", "x") as segment:
        segment.add(**contents)
    loaded = PlaceMap.load(tmp_path / "m")
    for column in (loaded.headings, loaded.heading_sigmas, loaded.position_sigmas):
        assert np.array_equal(column, np.array([np.nan, 0.5], np.float32), equal_nan=True)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_descriptors_of_any_float_type(tmp_path: Path, kind: type) -> None:
    contents = places(3)
    contents["descriptors"] = contents["descriptors"].astype(kind)
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer, writer.segment("a", "x") as segment:
        segment.add(**contents)
    stored = PlaceMap.load(tmp_path / "m").gather([0, 1, 2])
    assert np.array_equal(stored, contents["descriptors"].astype(np.float16).astype(np.float32))


def test_arrays_need_not_be_contiguous_or_native(tmp_path: Path) -> None:
    contents = places(6)
    views = {
        name: values[::2] if isinstance(values, list) else np.asarray(values)[::2]
        for name, values in contents.items()
    }
    views["positions"] = views["positions"].astype(">f8")
    views["codes"] = np.asfortranarray(views["codes"])
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer, writer.segment("a", "x") as segment:
        segment.add(**views)
    loaded = PlaceMap.load(tmp_path / "m")
    assert np.array_equal(loaded.positions, contents["positions"][::2])
    assert loaded.codes is not None
    assert np.array_equal(loaded.codes[0], contents["codes"][::2])


@pytest.mark.parametrize(("dim", "code_bytes"), [(None, 8), (16, None)])
def test_a_branch_the_model_lacks_is_refused(
    tmp_path: Path, dim: int | None, code_bytes: int | None
) -> None:
    model = ModelInfo("ab" * 32, "t", "tiny", False, dim, code_bytes)
    with MapWriter(tmp_path / "m", model, LUND) as writer, writer.segment("a", "x") as segment:
        with pytest.raises(MapError, match="since its model gives none"):
            segment.add(**places(2))
        segment.add(**places(2, model=model))
    assert len(PlaceMap.load(tmp_path / "m")) == 2
