from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import ModelInfo, PlaceMap, merge_maps
from selavpr_core.place_map.frames import PlanarTransform
from selavpr_core.retrieval import Localizer
from selavpr_core.retrieval.aligning import align_map, align_maps
from test.selavpr_core.place_map.maps import LUND, places, write_map

MOVE = PlanarTransform(120.0, -40.0, 3.0, 2.0)
BACK = PlanarTransform(-30.0, 15.0, 0.0, -0.7)


def road(first: int, stop: int) -> dict[str, Any]:
    """Part of a winding road of 200 places; the same place has the same descriptor and code."""
    contents = places(200, 5)
    headings = 1.5 * np.sin(np.arange(200) / 15)
    steps = 4 * np.stack([np.cos(headings), np.sin(headings), 0 * headings], axis=1)
    contents.update(positions=steps.cumsum(axis=0), headings=headings)
    return {name: column[first:stop] for name, column in contents.items()}


def moved(contents: dict[str, Any], move: PlanarTransform) -> dict[str, Any]:
    return contents | {
        "positions": move.positions(contents["positions"]),
        "headings": move.headings(contents["headings"]),
    }


def test_a_map_is_aligned_by_the_part_that_it_shares(tmp_path: Path) -> None:
    target = PlaceMap.load(write_map(tmp_path / "a", {"a": road(0, 120)}))
    source = PlaceMap.load(write_map(tmp_path / "b", {"b": moved(road(60, 150), MOVE)}, datum=None))
    told: list[int] = []
    found = align_map(Localizer(target), source, told.append)
    assert sum(told) == 90
    assert found.agreeing.sum() >= 60
    right = road(60, 150)["positions"]
    np.testing.assert_allclose(found.transform.positions(source.positions), right, atol=0.01)


def test_a_chain_of_maps_comes_into_one_frame(tmp_path: Path) -> None:
    """The third shares nothing with the first, but with the second."""
    paths = [
        write_map(tmp_path / "gps", {"a": road(0, 90)}),
        write_map(tmp_path / "second", {"b": moved(road(40, 150), MOVE)}, datum=None),
        write_map(tmp_path / "third", {"c": moved(road(100, 200), BACK)}, datum=None),
    ]
    aligned = align_maps(paths)
    assert aligned[0].transform is None
    assert [one.to for one in aligned] == [None, paths[0], paths[1]]
    merged = merge_maps(paths, tmp_path / "all", [one.transform for one in aligned])
    assert merged.datum == LUND
    whole = road(0, 200)
    expected = np.concatenate(
        [whole["positions"][a:b] for a, b in ((0, 90), (40, 150), (100, 200))]
    )
    np.testing.assert_allclose(merged.positions, expected, atol=0.02)
    headings = np.concatenate([whole["headings"][a:b] for a, b in ((0, 90), (40, 150), (100, 200))])
    np.testing.assert_allclose(merged.headings, headings, atol=1e-3)
    assert (np.abs(merged.headings) <= np.float32(np.pi)).all()


def test_maps_with_datums_need_no_alignment(tmp_path: Path) -> None:
    near = Datum.at(LUND.latitude + 0.01, LUND.longitude)
    paths = [
        write_map(tmp_path / "a", {"a": places(3, 1)}),
        write_map(tmp_path / "b", {"b": places(3, 2)}, datum=near),
    ]
    assert [one.transform for one in align_maps(paths)] == [None, None]


def test_maps_of_two_models_are_refused_by_name(tmp_path: Path) -> None:
    first = write_map(tmp_path / "first", {"a": places(3)})
    model = ModelInfo("cd" * 32, "base", "base", True, 16, 8)
    other = write_map(tmp_path / "other", {"b": places(3)}, model)
    said = f"{other} was made with other weights .* than {first} .*: build it with --weights random"
    with pytest.raises(MapError, match=said):
        align_maps([first, other])


def test_what_cannot_be_aligned_is_refused(tmp_path: Path) -> None:
    gps = write_map(tmp_path / "gps", {"a": road(0, 60)})
    other = write_map(tmp_path / "other", {"b": places(40, 77)}, datum=None)
    empty = write_map(tmp_path / "empty", {}, datum=None)
    with pytest.raises(MapError, match=r"other cannot be aligned with .*gps: .* are needed"):
        align_maps([gps, other])
    with pytest.raises(MapError, match="name it first"):
        align_maps([other, gps])
    with pytest.raises(MapError, match="a map without places cannot be aligned"):
        align_maps([gps, empty])
    model = ModelInfo("cd" * 32, "base", "base", True, 16, 8)
    foreign = write_map(tmp_path / "foreign", {"c": places(5, 1)}, model, datum=None)
    with pytest.raises(MapError, match="made with other weights"):
        align_maps([gps, foreign])
