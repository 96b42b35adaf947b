from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.calibration.recordings import drives, same_recordings, stamps_to_compare
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap

from .worlds import CODE_BYTES, HOUR, MODEL, SECOND, described, road, write

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


def same(place_map: PlaceMap, drive: PlaceMap, compared: PlaceMap | None = None) -> bool:
    ((said,),) = same_recordings(place_map, drive, APART, compared)
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


def test_it_is_known_by_more_pictures_than_its_places(tmp_path: Path) -> None:
    place_map = recorded(tmp_path / "map", road(0, 400), rows=slice(0, None, 2))
    cut = recorded(tmp_path / "cut", road(0, 400), rows=slice(41, None, 2))
    more = recorded(tmp_path / "more", road(0, 400), rows=slice(42, None, 10))
    at_dusk = recorded(tmp_path / "dusk", road(0, 400), light=2, rows=slice(42, None, 10))
    assert same(place_map, cut, more)
    assert not same(place_map, cut)
    assert not same(place_map, cut, at_dusk)
    # One picture may be the same, but it is the drive as a whole that is where the segment is.
    slower = recorded(tmp_path / "slower", road(0, 400), every=1.37, rows=slice(1, None))
    assert not same(place_map, slower, recorded(tmp_path / "first", road(0, 400), rows=slice(1)))


def test_the_pictures_to_compare_are_those_that_a_cut_may_have(tmp_path: Path) -> None:
    place_map = recorded(tmp_path / "map", road(0, 2000), rows=slice(0, None, 2))
    cut = recorded(tmp_path / "cut", road(0, 2000), rows=slice(51, 460, 2))
    stamps = stamps_to_compare(place_map, cut)
    assert 40 <= len(stamps) <= 50
    assert set(stamps) <= set(place_map.stamps)
    assert (np.diff(stamps) == stamps[1] - stamps[0]).all()
    assert stamps[0] == 52 * SECOND
    assert stamps[-1] > 450 * SECOND
    # There is nothing to read where there are some already, or where none can be.
    for rows in (slice(51, 460), slice(0, None, 2)):
        other = recorded(tmp_path / f"from {rows.start}", road(0, 2000), rows=rows)
        assert len(stamps_to_compare(place_map, other)) == 0
    later = recorded(tmp_path / "later", road(0, 2000), start=HOUR / SECOND)
    assert len(stamps_to_compare(place_map, later)) == 0


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


def grouped(path: Path, bags: dict[str, tuple[NDArray[np.float64], float]]) -> list[list[str]]:
    """Names of the segments of each drive; a bag is its positions, one a second, from so many s."""
    tracks = {name: positions for name, (positions, _) in bags.items()}
    hours = [start * SECOND / HOUR for _, start in bags.values()]
    place_map = write(path, tracks, hours)
    names = [segment.name for segment in place_map.segments]
    return [[names[number] for number in drive] for drive in drives(place_map, APART)]


def test_bags_recorded_one_after_the_other_are_of_one_drive(tmp_path: Path) -> None:
    bags = {
        "later": (road(1200, 1600), 2000.0),
        "first": (road(0, 400), 0.0),
        "second": (road(400, 800), 159.0),  # 60 s after the last place of the first
        "third": (road(800, 1200), 320.0),  # 62 s after the second
    }
    found = grouped(tmp_path / "map", bags)
    assert found == [["first", "second"], ["third"], ["later"]]


def test_cameras_and_bags_that_overlap_are_of_one_drive(tmp_path: Path) -> None:
    track = road(0, 800)
    bags = {
        "left": (track, 0.0),
        "right": (track + np.array([0.0, 1.0, 0.0]), 0.4),
        "rest": (road(792, 1200), 198.0),
    }
    assert grouped(tmp_path / "map", bags) == [["left", "right", "rest"]]


def test_robots_that_drive_at_the_same_time_are_of_two_drives(tmp_path: Path) -> None:
    """Each with two bags, of which the later ones follow on either drive's first in time."""
    bags = {
        "a1": (road(0, 400), 0.0),
        "b1": (road(1000, 1380), 0.0),
        "b2": (road(1380, 1800), 100.0),
        "a2": (road(400, 800), 105.0),
    }
    assert grouped(tmp_path / "map", bags) == [["a1", "a2"], ["b1", "b2"]]


def test_a_map_without_places_has_no_drives(tmp_path: Path) -> None:
    assert grouped(tmp_path / "map", {}) == []
