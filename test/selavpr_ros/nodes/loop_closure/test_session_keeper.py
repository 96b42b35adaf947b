from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.camera import CameraModel
from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap, Session, read_manifest
from selavpr_core.place_map.manifest import MANIFEST_NAME
from selavpr_core.retrieval import Localizer
from selavpr_ros.loop_closure import LoopClosureSettings, LoopDetector
from selavpr_ros.nodes.loop_closure.session_keeper import SessionKeeper
from test.selavpr_ros.loop_closure.circuit import MODEL, PLACES, SECOND, Describer, picture, pose

PLAIN = LoopClosureSettings(
    exclusion_seconds=5.0,
    exclusion_metres=5.0,
    similarity_threshold=0.9,
    plausibility=False,
    consistency=False,
    geometry=False,
)
CAMERA = CameraModel(64, 48, 60.0, 60.0, 31.5, 23.5)
MOVED = (1000.0, 500.0, 2.0, 1.0)  # of the map's frame


class Driver:
    """A session that is driven, and its keeper."""

    def __init__(self, folder: Path, save_to: str, known: Path | None, extend: bool = True) -> None:
        place_map = None if known is None else PlaceMap.load(known)
        self.session = Session(MODEL, folder / "spool")
        localizer = None if place_map is None else Localizer(place_map)
        self.detector = LoopDetector(Describer(), self.session, PLAIN, localizer)
        self.keeper = SessionKeeper(self.session, place_map, extend, save_to, "a test", 2.0, 1.0)
        self.tied_at: list[int] = []

    def drive(
        self,
        steps: range,
        first: int = 0,
        odometry: bool = True,
        camera: CameraModel | None = None,
    ) -> None:
        for step in steps:
            where = pose(step) if odometry else None
            keyframe = self.detector.add_keyframe(
                first + step * SECOND, where, picture(step % PLACES), camera
            )
            if self.keeper.note(keyframe):
                self.tied_at.append(step)


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A map of the first half of the circuit, in a frame of its own."""
    driver = Driver(tmp_path, "", None)
    driver.drive(range(PLACES // 2))
    driver.session.save(tmp_path / "known", "first", "drive", transform=MOVED)
    driver.session.close()
    return tmp_path / "known"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path, str(tmp_path / "own"), None)
    yield driver
    driver.session.close()


@pytest.fixture
def joining(tmp_path: Path, known: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path, "", known)
    yield driver
    driver.session.close()


def segments(path: Path) -> list[tuple[str, int]]:
    PlaceMap.load(path)  # whole, by its checksums
    return [(segment.name, segment.count) for segment in read_manifest(path).segments]


def cameras(path: Path) -> list[CameraModel | None]:
    return [segment.camera for segment in PlaceMap.load(path).segments]


def test_a_session_is_saved_as_a_map_of_its_own(alone: Driver, tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no keyframe yet"):
        alone.keeper.save()
    alone.drive(range(3))
    alone.keeper.autosave()
    assert (alone.keeper.saved, alone.keeper.where) == (3, tmp_path / "own")
    alone.drive(range(3, 5))
    alone.keeper.autosave()
    assert [count for _, count in segments(tmp_path / "own")] == [3, 2]
    told = alone.keeper.save()
    name = "session_19700101_000000"
    assert told == f"saved 5 keyframes as segment {name} of {tmp_path / 'own'}"
    assert segments(tmp_path / "own") == [(name, 5)]
    np.testing.assert_allclose(PlaceMap.load(tmp_path / "own").positions[4], pose(4)[:3])


def test_a_map_that_is_there_is_left_alone(known: Path, tmp_path: Path) -> None:
    before = segments(known)
    for number in (2, 3):
        driver = Driver(tmp_path, str(known), None)
        driver.drive(range(2))
        assert driver.keeper.save().endswith(f"of {known}-{number}")
        driver.session.close()
    assert segments(known) == before


def test_a_session_joins_the_map_once_it_is_tied(
    joining: Driver, known: Path, tmp_path: Path
) -> None:
    joining.drive(range(30, 42))  # the map begins at 40
    assert not joining.tied_at
    told = joining.keeper.save()
    own = tmp_path / "known-session"
    assert f"of {own}, a map of its own beside {known}: 2 verified closures do not" in told
    assert len(segments(known)) == 1
    joining.drive(range(42, 58))
    (tied_at,) = joining.tied_at
    assert tied_at < 57
    joining.keeper.autosave()
    assert not own.exists()  # the map has all of it
    assert [count for _, count in segments(known)] == [20, 28]
    told = joining.keeper.save()
    assert told.startswith("saved 28 keyframes as segment session_19700101_000030 of")
    assert "beside" not in told
    joined = PlaceMap.load(known)
    # Place 40 of the circuit is its place 0: the same, wherever the session's odometry began.
    at = 20 + 10
    assert joined.positions[at] == pytest.approx(joined.positions[0], abs=0.2)
    assert joined.headings[at] == pytest.approx(joined.headings[0], abs=0.1)
    # And the places before it lie where the map's frame has them.
    x, y = np.array(pose(30)[:2]) @ [[math.cos(1), math.sin(1)], [-math.sin(1), math.cos(1)]]
    assert joined.positions[20] == pytest.approx([1000 + x, 500 + y, 2.0], abs=0.2)


def test_a_map_that_is_only_read_is_left_alone(known: Path, tmp_path: Path) -> None:
    driver = Driver(tmp_path, "", known, extend=False)
    driver.drive(range(PLACES // 2))
    assert driver.tied_at  # so that closures into it can be drawn
    assert driver.keeper.save().endswith(f"of {tmp_path / 'known-session'}")
    assert len(segments(known)) == 1
    driver.session.close()


def test_after_a_jump_back_a_run_has_a_map_of_its_own(alone: Driver, tmp_path: Path) -> None:
    alone.drive(range(5))
    alone.keeper.autosave()
    alone.drive(range(5, 7))
    alone.keeper.begin_run()
    assert segments(tmp_path / "own") == [("session_19700101_000000", 7)]
    alone.keeper.autosave()  # nothing is new yet
    alone.drive(range(3), first=-100 * SECOND)
    assert alone.keeper.saved == 7  # those before
    told = alone.keeper.save()
    assert told.endswith(f"of {tmp_path / 'own-2'}")
    assert [count for _, count in segments(tmp_path / "own-2")] == [3]
    assert segments(tmp_path / "own") == [("session_19700101_000000", 7)]
    assert alone.keeper.saved == 10


def test_a_run_names_the_camera_of_all_its_keyframes(alone: Driver, tmp_path: Path) -> None:
    alone.drive(range(2), camera=CAMERA)
    alone.keeper.autosave()
    alone.drive(range(2, 4), camera=CAMERA)
    alone.keeper.begin_run()
    assert cameras(tmp_path / "own") == [CAMERA]
    alone.drive(range(2), first=-100 * SECOND)
    alone.keeper.autosave()
    alone.drive(range(2, 4), first=-100 * SECOND, camera=CAMERA)
    alone.keeper.autosave()
    assert cameras(tmp_path / "own-2") == [None, CAMERA]
    alone.keeper.save()  # as one segment, whose first keyframes came before camera_info
    assert cameras(tmp_path / "own-2") == [CAMERA]
    alone.drive(range(4, 6), first=-100 * SECOND, camera=replace(CAMERA, fx=70.0))
    alone.keeper.save()
    assert cameras(tmp_path / "own-2") == [None]


def test_a_map_that_is_extended_keeps_each_camera(joining: Driver, known: Path) -> None:
    assert cameras(known) == [None]
    joining.drive(range(30, 58), camera=CAMERA)
    assert joining.tied_at
    joining.keeper.autosave()
    assert cameras(known) == [None, CAMERA]
    joining.keeper.save()
    assert cameras(known) == [None, CAMERA]


def test_keyframes_without_odometry_do_not_join(joining: Driver, known: Path) -> None:
    joining.drive(range(1), odometry=False)
    joining.drive(range(1, 20))
    assert joining.tied_at
    told = joining.keeper.save()
    assert "keyframes without odometry cannot be placed in it" in told
    assert told.endswith("; 1 of them have no position, for lack of odometry")
    assert len(segments(known)) == 1


def test_nowhere_to_save_to(tmp_path: Path) -> None:
    driver = Driver(tmp_path, "", None)
    driver.drive(range(2))
    assert not driver.keeper.possible
    driver.keeper.autosave()
    driver.keeper.begin_run()
    with pytest.raises(MapError, match="set the parameter save_to"):
        driver.keeper.save()
    driver.session.close()


def test_a_run_that_cannot_be_saved_is_reported_and_the_next_one_begins(
    alone: Driver, tmp_path: Path
) -> None:
    alone.drive(range(2))
    alone.keeper.autosave()
    (tmp_path / "own" / MANIFEST_NAME).write_text("{")
    with pytest.raises(MapError):
        alone.keeper.begin_run()
    alone.drive(range(3), first=-100 * SECOND)
    assert alone.keeper.save().startswith("saved 3 keyframes")
