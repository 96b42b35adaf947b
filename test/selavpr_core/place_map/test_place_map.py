from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import ModelInfo, PlaceMap, SegmentInfo, Session, place_map
from selavpr_core.place_map.segment import Segment

from .maps import LUND, MODEL, drive, places, write_map

COLUMNS = ("positions", "headings", "heading_sigmas", "position_sigmas", "stamps")
NORTH, SOUTH = places(9, 1), places(5, 2, thumbnails=False)


@pytest.fixture
def campus(tmp_path: Path) -> Path:
    return write_map(tmp_path / "campus", {"north": NORTH, "south": SOUTH})


def test_all_that_was_written_is_there(campus: Path) -> None:
    loaded = PlaceMap.load(campus, MODEL.fingerprint)
    assert (loaded.path, loaded.model, loaded.datum) == (campus, MODEL, LUND)
    assert len(loaded) == 14
    assert [(s.name, s.source, s.count) for s in loaded.segments] == [
        ("north", "/bags/north.mcap", 9),
        ("south", "/bags/south.mcap", 5),
    ]
    for name in COLUMNS:
        column = getattr(loaded, name)
        assert np.array_equal(column, np.concatenate([NORTH[name], SOUTH[name]]))
        assert not column.flags.writeable
    assert loaded.codes is not None
    assert loaded.descriptors is not None
    for part, written in zip(loaded.codes, (NORTH, SOUTH), strict=True):
        assert np.array_equal(part, written["codes"])
    for part, written in zip(loaded.descriptors, (NORTH, SOUTH), strict=True):
        assert np.array_equal(part, written["descriptors"].astype(np.float16))
    for segment, written in zip(loaded.segments, (NORTH, SOUTH), strict=True):
        assert segment.first_stamp == written["stamps"].min()
        assert segment.last_stamp == written["stamps"].max()


def test_columns_have_their_types(campus: Path) -> None:
    loaded = PlaceMap.load(campus)
    assert loaded.positions.dtype == np.float64
    assert loaded.stamps.dtype == np.int64
    for name in ("headings", "heading_sigmas", "position_sigmas"):
        assert getattr(loaded, name).dtype == np.float32


def test_other_weights_are_refused_with_both_fingerprints(campus: Path) -> None:
    with pytest.raises(MapError) as error:
        PlaceMap.load(campus, "cd" * 32)
    for part in ("abababababab", "cdcdcdcdcdcd", "--weights random:tiny", "build the map again"):
        assert part in str(error.value)


def test_gathering_crosses_segments_in_any_order(campus: Path) -> None:
    loaded = PlaceMap.load(campus)
    rows = np.concatenate([NORTH["descriptors"], SOUTH["descriptors"]]).astype(np.float16)
    for indices in ([], [13], [3, 12, 0, 9, 8, 3], range(14)):
        gathered = loaded.gather(list(indices))
        assert gathered.dtype == np.float32
        assert np.array_equal(gathered, rows[list(indices)].astype(np.float32))
    for wrong in ([14], [-1], [0, 99]):
        with pytest.raises(IndexError):
            loaded.gather(wrong)


def test_places_know_their_segment(campus: Path) -> None:
    loaded = PlaceMap.load(campus)
    assert [loaded.segment_of(place).name for place in (0, 8, 9, 13)] == [
        "north", "north", "south", "south",
    ]  # fmt: skip
    for wrong in (-1, 14):
        with pytest.raises(IndexError):
            loaded.segment_of(wrong)


def test_thumbnails_are_those_of_the_place(campus: Path) -> None:
    loaded = PlaceMap.load(campus)
    # The first and the eighth were written as empty: no thumbnail.
    expected = [jpeg or None for jpeg in NORTH["thumbnails"]] + [None] * 5
    assert [loaded.thumbnail(place) for place in range(14)] == expected


def test_thumbnails_may_be_left_behind(campus: Path) -> None:
    shutil.rmtree(campus / "thumbnails")
    loaded = PlaceMap.load(campus)
    assert len(loaded) == 14
    assert loaded.thumbnail(3) is None


@pytest.mark.parametrize("branch", ["codes", "descriptors"])
def test_a_branch_may_be_missing(tmp_path: Path, branch: str) -> None:
    sizes = {"codes": (16, None), "descriptors": (None, 8)}[branch]
    model = ModelInfo("ef" * 32, "base", "base", True, *sizes)
    path = write_map(tmp_path / "m", {"a": places(4, model=model)}, model)
    loaded = PlaceMap.load(path)
    assert len(loaded) == 4
    assert getattr(loaded, branch) is None
    if branch == "descriptors":
        with pytest.raises(MapError, match="no float descriptors"):
            loaded.gather([0])


def test_an_empty_map_loads(tmp_path: Path) -> None:
    loaded = PlaceMap.load(write_map(tmp_path / "m", {}))
    assert len(loaded) == 0
    assert loaded.segments == ()
    assert loaded.codes == ()
    assert loaded.positions.shape == (0, 3)
    assert loaded.headings.shape == (0,)
    assert loaded.gather([]).shape == (0, 16)


def test_spacing_looks_at_the_same_segment(tmp_path: Path) -> None:
    first, second = places(3, 1), places(2, 2)
    first["positions"] = np.array([[0.0, 0, 0], [3, 4, 0], [3, 4, 0]])
    second["positions"] = np.array([[0.0, 0, 1], [0, 0, 1]])
    loaded = PlaceMap.load(write_map(tmp_path / "m", {"a": first, "b": second}))
    assert loaded.spacing(0) == 5
    assert loaded.spacing(1) == 5  # not 0: the third is at the same position
    assert math.isnan(loaded.spacing(3))


def test_a_map_can_be_replaced_while_it_is_open(campus: Path) -> None:
    loaded = PlaceMap.load(campus)
    shutil.rmtree(campus)
    write_map(campus, {"north": places(9, 77)})
    assert loaded.codes is not None
    assert np.array_equal(loaded.codes[0], NORTH["codes"])
    assert np.array_equal(loaded.gather([8])[0], NORTH["descriptors"][8].astype(np.float16))


def test_segments_replaced_while_a_map_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m"
    with Session(MODEL, tmp_path / "spool") as session:
        for place in drive(4):
            session.append(place)
        session.save(path, "part", "x", LUND)

        def meanwhile(folder: Path, info: SegmentInfo, *rest: Any) -> Segment:
            if info.name == "part":
                session.save(path, "whole", "x", LUND, replaces=["part"])
            return Segment(folder, info, *rest)

        monkeypatch.setattr(place_map, "Segment", meanwhile)
        loaded = PlaceMap.load(path)
    assert [segment.name for segment in loaded.segments] == ["whole"]
    assert np.array_equal(loaded.positions, places(4)["positions"])
    # A file that is missing for another reason is still an error.
    (path / "segments/whole.safetensors").unlink()
    with pytest.raises(MapError, match="is missing"):
        PlaceMap.load(path)
