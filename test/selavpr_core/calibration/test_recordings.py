from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.calibration.recordings import same_recordings
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap

from .worlds import CODE_BYTES, MODEL, SECOND, described, road

CODES_ALONE = replace(MODEL, descriptor_dim=None)
DESCRIPTORS_ALONE = replace(MODEL, code_bytes=None)
APART = 2.5


def recorded(
    path: Path,
    positions: NDArray[np.float64],
    light: int = 1,
    every: float = 1.0,
    start: float = 0.0,
    model: ModelInfo = MODEL,
    rows: slice = slice(None),
) -> PlaceMap:
    """A map of some rows of a drive: a picture `every` so many seconds from `start` on.

    What chance does to a picture depends on its row and the light alone.
    """
    descriptors = described(positions, light, 0.3, light)[rows]
    stamps = np.rint((start + every * np.arange(len(positions))) * SECOND).astype(np.int64)[rows]
    unknown = np.full(len(stamps), np.nan)
    with MapWriter(path, model, None) as writer, writer.segment(path.name, "") as segment:
        segment.add(
            None
            if model.code_bytes is None
            else np.packbits(descriptors[:, : 8 * CODE_BYTES] >= 0, axis=1),
            None if model.descriptor_dim is None else descriptors,
            positions=positions[rows], headings=unknown, heading_sigmas=unknown,
            position_sigmas=unknown, stamps=stamps,
        )  # fmt: skip
    return PlaceMap.load(path)


def same(place_map: PlaceMap, drive: PlaceMap) -> bool:
    ((said,),) = same_recordings(place_map, drive, APART)
    return bool(said)


@pytest.mark.parametrize("model", [MODEL, CODES_ALONE, DESCRIPTORS_ALONE])
def test_a_recording_is_known_by_its_pictures(tmp_path: Path, model: ModelInfo) -> None:
    place_map = recorded(tmp_path / "map", road(0, 400), model=model)
    again = recorded(tmp_path / "again", road(0, 400), model=model)
    at_dusk = recorded(tmp_path / "dusk", road(0, 400), light=2, model=model)
    assert same(place_map, again)
    assert not same(place_map, at_dusk)  # of the same stamps, and at the same places


def test_it_is_known_by_the_pictures_that_both_have(tmp_path: Path) -> None:
    place_map = recorded(tmp_path / "map", road(0, 400), rows=slice(0, 80, 5))
    assert same(place_map, recorded(tmp_path / "part", road(0, 400), rows=slice(41, None, 3)))
    none_of_both = recorded(tmp_path / "none", road(0, 400), rows=slice(41, None, 5))
    assert not same(place_map, none_of_both)


def test_who_begins_with_the_same_picture_may_go_on_at_another_speed(tmp_path: Path) -> None:
    place_map = recorded(tmp_path / "map", road(0, 400))
    slower = recorded(tmp_path / "slower", road(0, 400), every=1.37)
    assert np.intersect1d(place_map.stamps, slower.stamps).tolist() == [0]
    assert (place_map.gather([0]) == slower.gather([0])).all()
    assert not same(place_map, slower)


def test_drives_one_after_the_other_are_not_the_same(tmp_path: Path) -> None:
    place_map = recorded(tmp_path / "map", road(0, 400))
    assert not same(place_map, recorded(tmp_path / "next", road(400, 800), start=100.0))


def test_the_segments_that_are_the_same_are_told(tmp_path: Path) -> None:
    for light in (1, 2):
        recorded(tmp_path / "both", road(0, 400), light=light)
    drive = recorded(tmp_path / "drive", road(0, 400), light=2)
    both = PlaceMap.load(tmp_path / "both")
    assert same_recordings(both, drive, APART).tolist() == [[False, True]]
    assert same_recordings(drive, both, APART).tolist() == [[False], [True]]


def test_without_segments_there_is_nothing_to_tell(tmp_path: Path) -> None:
    place_map = recorded(tmp_path / "map", road(0, 400))
    assert same_recordings(place_map.part([]), place_map, APART).shape == (1, 0)
    assert same_recordings(place_map, place_map.part([]), APART).shape == (0, 1)
