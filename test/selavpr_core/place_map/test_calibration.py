"""A map's calibration, from its writer to what people and programs read of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import MapWriter, PlaceMap, map_info, merge_maps
from selavpr_core.storage import durable

from .maps import LUND, MODEL, places, write_map
from .test_manifest import CALIBRATION


def test_it_is_stored_replaced_and_removed(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)})
    assert PlaceMap.load(path).calibration is None
    assert map_info(path)["calibration"] is None
    for calibration in (CALIBRATION, replace(CALIBRATION, margin=0.1), None):
        with MapWriter(path, MODEL, LUND) as writer:
            writer.set_calibration(calibration)
        loaded = PlaceMap.load(path)
        assert loaded.calibration == calibration
        assert len(loaded) == 4
        said = map_info(path)["calibration"]
        assert said == (None if calibration is None else {**vars(calibration), "reached": True})


def test_segments_that_are_added_keep_it(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)})
    with MapWriter(path, MODEL, LUND) as writer:
        writer.set_calibration(CALIBRATION)
        with writer.segment("b", "x") as segment:
            segment.add(**places(3, 1))
    write_map(path, {"c": places(2, 2)})
    loaded = PlaceMap.load(path)
    assert loaded.calibration == CALIBRATION
    assert len(loaded) == 9
    assert loaded.part([0, 2]).calibration is None


def test_a_merged_map_has_none(tmp_path: Path) -> None:
    paths = [write_map(tmp_path / name, {name: places(4)}) for name in "ab"]
    with MapWriter(paths[0], MODEL, LUND) as writer:
        writer.set_calibration(CALIBRATION)
    assert merge_maps(paths, tmp_path / "both").calibration is None


def test_a_crash_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)})
    with MapWriter(path, MODEL, LUND) as writer, monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(durable.os, "replace", full)
        with pytest.raises(MapError, match="No space left"):
            writer.set_calibration(CALIBRATION)
    assert PlaceMap.load(path).calibration is None


def test_a_closed_writer_refuses(tmp_path: Path) -> None:
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer:
        pass
    with pytest.raises(MapError, match="closed"):
        writer.set_calibration(CALIBRATION)


@pytest.mark.parametrize(
    ("precision", "bound", "reached"),
    [(0.99, 0.99 - 0.02, True), (0.989, 0.98, False), (1.0, 0.969, False)],
)
def test_it_tells_whether_the_precision_was_reached(
    precision: float, bound: float, reached: bool, tmp_path: Path
) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)})
    with MapWriter(path, MODEL, LUND) as writer:
        writer.set_calibration(replace(CALIBRATION, precision=precision, precision_bound=bound))
    loaded = PlaceMap.load(path).calibration
    assert loaded is not None
    assert loaded.reached is reached
    assert map_info(path)["calibration"]["reached"] is reached


def test_part_of_a_map(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {name: places(3, n) for n, name in enumerate("abc")})
    whole = PlaceMap.load(path)
    part = whole.part([0, 2])
    rows = [0, 1, 2, 6, 7, 8]
    assert [segment.name for segment in part.segments] == ["a", "c"]
    assert (part.positions == whole.positions[rows]).all()
    assert (part.gather(range(6)) == whole.gather(rows)).all()
    assert part.thumbnail(5) == whole.thumbnail(8)
    assert len(whole.part([])) == 0
