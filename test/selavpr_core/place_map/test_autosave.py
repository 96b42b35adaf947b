from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import Autosave, MapWriter, PlaceMap, Session, read_manifest
from selavpr_core.place_map import autosave as autosave_module

from .maps import CAMERA, LUND, MODEL, drive, places, tree, write_map

COUNT = 30


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(MODEL, tmp_path / "spool") as session:
        yield session


def extend(session: Session, count: int) -> None:
    """Let the session have the next `count` of `drive(COUNT)`."""
    for place in drive(COUNT)[len(session) : len(session) + count]:
        session.append(place)


def assert_holds(path: Path, count: int, before: int = 0) -> None:
    """Check that a map holds the first `count` of `places(COUNT)` in order, after some others."""
    loaded, contents = PlaceMap.load(path), places(COUNT)
    assert len(loaded) == before + count
    assert np.array_equal(loaded.positions[before:], contents["positions"][:count])
    rows = range(before, before + count)
    assert np.array_equal(loaded.gather(rows), contents["descriptors"][:count].astype("f2"))
    assert [loaded.thumbnail(n) or b"" for n in rows] == contents["thumbnails"][:count]


def names(path: Path) -> list[str]:
    return [segment.name for segment in read_manifest(path).segments]


def test_each_save_adds_what_is_new(session: Session, tmp_path: Path) -> None:
    autosave = Autosave(session, tmp_path / "m", "drive", "/camera")
    assert autosave.save() is None
    assert autosave.finish() is None
    assert not (tmp_path / "m").exists()
    for number, count in enumerate((3, 1, 4)):
        extend(session, count)
        info = autosave.save()
        assert info is not None
        assert (info.count, info.source) == (count, "/camera")
        assert autosave.saved == len(session)
        assert len(names(tmp_path / "m")) == number + 1
        assert autosave.save() is None
        assert_holds(tmp_path / "m", len(session))


def test_many_saves_make_few_segments(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave_module, "_PARTS_MERGED", 3)
    autosave = Autosave(session, tmp_path / "m", "drive", "x")
    written = 0
    for number in range(1, COUNT + 1):
        extend(session, 1)
        info = autosave.save()
        assert info is not None
        written += info.count
        # Three parts of one size become one of the next: as when counting to the base of three.
        assert len(names(tmp_path / "m")) == sum(int(n) for n in np.base_repr(number, 3))
    assert_holds(tmp_path / "m", COUNT)
    assert written == COUNT + (3 - 1) * 10 + (9 - 3) * 3 + (27 - 9)
    info = autosave.finish()
    assert info is not None
    assert (info.name, info.count) == ("drive", COUNT)
    assert names(tmp_path / "m") == ["drive"]
    assert_holds(tmp_path / "m", COUNT)
    assert tree(tmp_path / "m") == {
        ".lock", "map.json", "segments/drive.safetensors", "thumbnails/drive.safetensors",
    }  # fmt: skip


def test_a_finished_session_may_go_on(session: Session, tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"drive": places(5, 1)})
    autosave = Autosave(session, path, "drive", "x", LUND)
    extend(session, 2)
    whole = autosave.finish()
    assert autosave.finish() == whole
    assert names(path) == ["drive", "drive-2"]
    extend(session, 3)
    autosave.save()
    assert_holds(path, 5, before=5)
    autosave.finish()
    assert len(names(path)) == 2
    extend(session, 2)
    autosave.finish()
    assert len(names(path)) == 2
    assert_holds(path, 7, before=5)


def test_places_are_moved_into_the_frame_of_the_map(session: Session, tmp_path: Path) -> None:
    autosave = Autosave(session, tmp_path / "m", "a", "x", LUND, (5.0, 6.0, 7.0, 0.0))
    extend(session, 3)
    autosave.save()
    extend(session, 3)
    autosave.finish()
    loaded = PlaceMap.load(tmp_path / "m")
    assert loaded.datum == LUND
    assert loaded.positions == pytest.approx(places(COUNT)["positions"][:6] + np.array([5, 6, 7]))


def test_places_before_the_first_are_left_out(session: Session, tmp_path: Path) -> None:
    autosave = Autosave(session, tmp_path / "m", "a", "x", LUND, first=4)
    for count in (3, 1):  # up to the first, which is not there yet
        extend(session, count)
        assert autosave.save() is None
        assert autosave.finish() is None
    for count, save in ((1, autosave.save), (2, autosave.save), (1, autosave.finish)):
        extend(session, count)
        assert save() is not None
        assert autosave.saved == len(session)
        expected = places(COUNT)["positions"][4 : len(session)]
        assert np.array_equal(PlaceMap.load(tmp_path / "m").positions, expected)
    whole = autosave.finish()
    assert whole is not None
    assert whole.count == 4
    assert names(tmp_path / "m") == ["a"]


@pytest.mark.parametrize("loss", ["removed", "another"])
def test_a_lost_map_is_written_anew(session: Session, tmp_path: Path, loss: str) -> None:
    path = tmp_path / "m"
    autosave = Autosave(session, path, "a", "x", LUND)
    extend(session, 3)
    autosave.save()
    shutil.rmtree(path)
    if loss == "another":
        write_map(path, {"a-part": places(4, 1)})
    extend(session, 2)
    info = autosave.save()
    assert info is not None
    assert info.count == autosave.saved == 5
    assert_holds(path, 5, before=4 if loss == "another" else 0)


def test_what_could_not_be_saved_is_saved_next_time(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "m"
    autosave = Autosave(session, path, "a", "x")
    extend(session, 3)
    autosave.save()
    extend(session, 2)
    for save in (autosave.save, autosave.finish):
        with (
            MapWriter(path, MODEL, None),
            pytest.raises(MapError, match="another program is writing"),
        ):
            save()
    assert autosave.saved == 3
    assert_holds(path, 3)
    (path / "map.json").write_text("{")
    with pytest.raises(MapError, match="damaged"):
        autosave.save()
    shutil.rmtree(path)
    autosave.finish()
    assert_holds(path, 5)


def test_several_threads_may_save(session: Session, tmp_path: Path) -> None:
    autosave = Autosave(session, tmp_path / "m", "a", "x")
    with ThreadPoolExecutor(3) as threads:
        saves = []
        for number in range(COUNT):
            extend(session, 1)
            saves.append(threads.submit(autosave.finish if number % 8 == 7 else autosave.save))
        for save in saves:
            save.result()
    assert autosave.saved == COUNT
    assert_holds(tmp_path / "m", COUNT)


def test_a_map_can_be_opened_while_its_parts_are_replaced(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "m"
    autosave = Autosave(session, path, "a", "x")
    extend(session, 1)
    autosave.save()
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(lambda: [len(PlaceMap.load(path)) for _ in range(30)])
        while not reading.done():
            if len(session) < COUNT:
                extend(session, 1)
            autosave.save()
            autosave.finish()
        counts = reading.result()
    assert counts == sorted(counts)


def test_a_part_may_name_a_camera_that_the_whole_does_not(session: Session, tmp_path: Path) -> None:
    """The first picture came before anything was known of the camera."""
    autosave = Autosave(session, tmp_path / "m", "drive", "x")
    for number, place in enumerate(drive(3)):
        session.append(replace(place, camera=CAMERA if number else None))
        autosave.save()
    cameras = [segment.camera for segment in read_manifest(tmp_path / "m").segments]
    assert cameras == [None, CAMERA, CAMERA]
    assert autosave.save() is None  # nothing is taken for lost
    autosave.finish()
    assert [segment.camera for segment in read_manifest(tmp_path / "m").segments] == [None]
