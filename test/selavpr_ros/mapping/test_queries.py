from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.errors import BagError
from selavpr_ros.mapping import MappingSettings, build_map
from selavpr_ros.mapping.queries import frames_at, query_drive
from test.bags_on_disk import write_bag
from test.selavpr_ros.mapping.describing import grey, picture

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
STAMPS = [START + second * SECOND for second in range(8)]


def write_drive(path: Path, with_fixes: bool = True, with_poses: bool = False) -> Path:
    """A drive north at 4 m/s; its odometry begins at 0, 0 and calls that way x."""
    images = [(stamp, picture(number)) for number, stamp in enumerate(STAMPS)]
    fixes = [(s, 55.7 + 4 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(STAMPS)]
    poses = [(stamp, 4.0 * second, 0.0, 0.0, 0.0) for second, stamp in enumerate(STAMPS)]
    return write_bag(
        path,
        images=images,
        fixes=fixes if with_fixes else [],
        odometry=poses if with_poses else [],
    )


def test_queries_are_the_places_of_the_same_drive(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag")
    datum = Datum.at(55.69, 13.21, 5.0)
    settings = MappingSettings(keyframe_distance=6.0)
    build_map([bag], tmp_path / "map", grey(), MappingSettings(keyframe_distance=6.0, datum=datum))
    built = PlaceMap.load(tmp_path / "map")
    with query_drive(bag, datum, grey(), settings) as (queries, summary):
        folder = queries.path
        assert queries.datum == datum
        np.testing.assert_array_equal(queries.positions, built.positions)
        np.testing.assert_array_equal(queries.gather(range(4)), built.gather(range(4)))
        assert queries.thumbnail(0) == built.thumbnail(0)
        assert (summary.frames, summary.kept) == (8, len(queries)) == (8, 4)
    assert not folder.exists()


def test_frames_of_given_stamps_lie_where_the_drive_is(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag")
    datum = Datum.at(55.7, 13.2)
    with (
        query_drive(bag, datum, grey(), MappingSettings(keyframe_distance=6.0)) as (queries, _),
        query_drive(bag, datum, grey()) as (all_frames, _),
        frames_at(bag, {STAMPS[5], STAMPS[1], START + 1}, queries, grey()) as frames,
    ):
        folder = frames.path
        assert len(queries) == 4
        assert frames.stamps.tolist() == [STAMPS[1], STAMPS[5]]
        assert frames.datum == datum
        np.testing.assert_array_equal(frames.gather([0, 1]), all_frames.gather([1, 5]))
        np.testing.assert_allclose(frames.positions, all_frames.positions[[1, 5]], atol=0.01)
    assert not folder.exists()


def test_a_bag_without_frames_of_given_stamps_gives_none(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag")
    with (
        query_drive(bag, Datum.at(55.7, 13.2), grey()) as (queries, _),
        frames_at(bag, [START + 1], queries, grey()) as frames,
    ):
        assert len(frames) == 0


def test_nothing_remains_when_the_block_fails(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag")
    folders: list[Path] = []

    def interrupt(queries: PlaceMap) -> None:
        folders.append(queries.path)
        raise KeyboardInterrupt

    drive = query_drive(bag, Datum.at(55.7, 13.2), grey())
    with pytest.raises(KeyboardInterrupt), drive as (queries, _):
        interrupt(queries)
    assert not folders[0].exists()


@pytest.mark.parametrize("datum", [None, Datum.at(55.7, 13.2)], ids=["no datum", "datum"])
def test_without_a_common_frame_the_drive_has_its_own(tmp_path: Path, datum: Datum | None) -> None:
    """A map without GPS, or a bag without fixes."""
    bag = write_drive(tmp_path / "bag", with_fixes=datum is None, with_poses=True)
    with query_drive(bag, datum, grey()) as (queries, _):
        assert queries.datum is None
        np.testing.assert_allclose(queries.positions[:, 0], 4.0 * np.arange(8), atol=1e-6)
        np.testing.assert_allclose(queries.headings, 0.0, atol=1e-6)


def test_a_bag_without_any_position_is_an_error(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag", with_fixes=False)
    with pytest.raises(BagError), query_drive(bag, Datum.at(55.7, 13.2), grey()):
        pass
