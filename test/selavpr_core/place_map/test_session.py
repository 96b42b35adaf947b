from __future__ import annotations

import errno
import math
import os
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from selavpr_core.errors import MapError
from selavpr_core.place_map import MapWriter, ModelInfo, Place, PlaceMap, Session, spool
from selavpr_core.place_map.spool import CHUNK_ROWS

from .maps import CAMERA, LUND, MODEL, drive, places, tree, write_map

LONG = CHUNK_ROWS + 100
COLUMNS = ("codes", "descriptors", "positions", "headings", "heading_sigmas", "position_sigmas")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(MODEL, tmp_path / "spool") as session:
        yield session


@pytest.fixture(scope="module")
def long_session() -> Iterator[Session]:
    """A session of more places than are mapped at a time: those of `places(LONG)`."""
    with Session(MODEL) as session:
        for place in drive(LONG):
            session.append(place)
        yield session


def extend(session: Session, drive: list[Place]) -> None:
    for place in drive:
        session.append(place)


def assert_holds(path: Path, first: int, last: int) -> None:
    """Check that a map's only segment has places [first, last) of `places(LONG)`, and is whole."""
    loaded, contents = PlaceMap.load(path), places(LONG)
    assert len(loaded) == last - first
    data = load_file(path / loaded.segments[0].data.file)
    for name in (*COLUMNS, "stamps"):
        expected = contents[name][first:last]
        assert np.array_equal(data[name], expected.astype(data[name].dtype)), name
    thumbnails = [loaded.thumbnail(n) or b"" for n in range(len(loaded))]
    assert thumbnails == contents["thumbnails"][first:last]
    info = loaded.segments[0]
    stamps = contents["stamps"][first:last]
    assert (info.first_stamp, info.last_stamp) == (stamps.min(), stamps.max())


def test_places_are_read_back_as_they_were_added(long_session: Session) -> None:
    contents = places(LONG)
    assert len(long_session) == LONG
    for name, column in (
        ("positions", long_session.positions),
        ("headings", long_session.headings),
        ("stamps", long_session.stamps),
    ):
        assert np.array_equal(column, contents[name])
        assert column.dtype == contents[name].dtype
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0
    for start, stop in ((0, 0), (0, LONG), (CHUNK_ROWS - 1, CHUNK_ROWS + 1), (LONG - 1, LONG)):
        for name in COLUMNS:
            rows = long_session.read_rows(name, start, stop)
            assert np.array_equal(rows, contents[name][start:stop].astype(rows.dtype))
    for place in (0, 1, 6, CHUNK_ROWS, LONG - 1):
        assert long_session.thumbnail(place) == (contents["thumbnails"][place] or None)


def test_places_are_numbered_from_0(session: Session) -> None:
    assert [session.append(place) for place in drive(3)] == [0, 1, 2]


def test_a_view_stays_what_it_was_while_the_session_grows(session: Session) -> None:
    assert session.positions.shape == (0, 3)
    extend(session, drive(2))
    before = session.positions
    copy = before.copy()
    extend(session, drive(CHUNK_ROWS, seed=1, thumbnails=False))
    assert np.array_equal(before, copy)
    assert np.array_equal(session.positions[:2], copy)


def test_mapped_descriptors_show_what_is_appended_later(session: Session) -> None:
    extend(session, drive(1))
    chunk = session.map_descriptors(0, random_access=True)
    rows = chunk.rows
    extend(session, drive(3)[1:])
    expected = places(3)["descriptors"].astype(np.float16)
    assert np.array_equal(rows[:3], expected)
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 0
    chunk.forget()
    assert np.array_equal(rows[:3], expected)
    session.close()
    assert np.array_equal(rows[:3], expected)


def test_only_what_exists_can_be_read(session: Session) -> None:
    extend(session, drive(3))
    for start, stop in ((-1, 1), (2, 1), (0, 4)):
        with pytest.raises(IndexError):
            session.read_rows("codes", start, stop)
    for place in (-1, 3):
        with pytest.raises(IndexError):
            session.thumbnail(place)
    with pytest.raises(KeyError):
        session.read_rows("jpeg", 0, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"code": None}, "needs codes, but none"),
        ({"descriptor": np.zeros(16)}, r"length 0\.0, not 1"),
        ({"descriptor": np.full(16, np.nan)}, "length nan, not 1"),
        ({"descriptor": np.eye(15)[0]}, "descriptors have shape"),
        ({"position": (0.0, math.nan, 0.0)}, "not finite"),
        ({"position": (0.0, 0.0)}, "positions have shape"),
        ({"stamp": 0.5}, "whole nanoseconds"),
    ],
)
def test_a_place_that_does_not_fit_is_refused_and_the_session_goes_on(
    session: Session, change: dict[str, Any], problem: str
) -> None:
    first, second = drive(2)
    session.append(first)
    with pytest.raises(MapError, match=problem):
        session.append(replace(first, **change))
    assert session.append(second) == 1
    assert np.array_equal(session.positions, places(2)["positions"])


@pytest.mark.parametrize(("dim", "code_bytes"), [(None, 8), (16, None)])
def test_a_model_of_one_branch(tmp_path: Path, dim: int | None, code_bytes: int | None) -> None:
    model = ModelInfo("ab" * 32, "t", "tiny", False, dim, code_bytes)
    with Session(model, tmp_path) as session:
        with pytest.raises(MapError, match="since its model gives none"):
            session.append(drive(1)[0])
        extend(session, drive(2, model=model))
        session.save(tmp_path / "m", "a", "x")
    assert len(PlaceMap.load(tmp_path / "m", model.fingerprint)) == 2


# Each place is written by nine calls (its thumbnail is not empty), some of which may come after
# others have reached the disk.
@pytest.mark.parametrize("call", range(9))
def test_a_full_disk_is_one_line_and_loses_no_place(
    session: Session, monkeypatch: pytest.MonkeyPatch, call: int, tmp_path: Path
) -> None:
    all_places = drive(6)
    extend(session, all_places[:3])
    calls = iter(range(100))

    def half_full(file: int, data: Any, offset: int) -> int:
        if next(calls) < call:
            return write(file, data, offset)
        write(file, bytes(memoryview(data)[:1]), offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    write = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(spool.os, "pwrite", half_full)
        with pytest.raises(MapError, match=r"session's files in .*spool cannot be .*: No space"):
            session.append(all_places[3])
    assert len(session) == len(session.positions) == 3
    extend(session, all_places[4:])
    session.save(tmp_path / "m", "a", "x")
    loaded, contents = PlaceMap.load(tmp_path / "m"), places(6)
    rows = [0, 1, 2, 4, 5]
    assert np.array_equal(loaded.positions, contents["positions"][rows])
    assert np.array_equal(loaded.gather(range(5)), contents["descriptors"][rows].astype("f2"))
    thumbnails = [loaded.thumbnail(n) or b"" for n in range(5)]
    assert thumbnails == [contents["thumbnails"][n] for n in rows]


def test_a_write_may_take_several_calls(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(spool.os, "pwrite", lambda file, data, at: write(file, data[:5], at))
        extend(session, drive(4))
    for name in COLUMNS:
        rows = session.read_rows(name, 0, 4)
        assert np.array_equal(rows, places(4)[name].astype(rows.dtype))
    assert session.thumbnail(3) == places(4)["thumbnails"][3]


def test_a_saved_session_is_the_map_that_its_places_make(
    long_session: Session, tmp_path: Path
) -> None:
    info = long_session.save(tmp_path / "saved", "a", "/bags/a.mcap", LUND)
    write_map(tmp_path / "built", {"a": places(LONG)})
    (built,) = PlaceMap.load(tmp_path / "built").segments
    assert replace(info, created=built.created) == built  # the checksums, too
    assert PlaceMap.load(tmp_path / "saved").segments == (info,)
    assert tree(tmp_path / "saved") == tree(tmp_path / "built")


@pytest.mark.parametrize("first", [1, CHUNK_ROWS - 1, CHUNK_ROWS, LONG - 1])
def test_what_is_new_can_be_saved_alone(long_session: Session, tmp_path: Path, first: int) -> None:
    long_session.save(tmp_path / "m", "a", "x", first=first)
    assert_holds(tmp_path / "m", first, LONG)


def test_sessions_extend_a_map(long_session: Session, session: Session, tmp_path: Path) -> None:
    write_map(tmp_path / "m", {"a": places(3, 1)})
    extend(session, drive(5))
    info = session.save(tmp_path / "m", "a", "x", LUND, first=2)
    assert (info.name, info.count) == ("a-2", 3)
    assert long_session.save(tmp_path / "m", "b", "x", LUND).count == LONG
    loaded = PlaceMap.load(tmp_path / "m")
    assert np.array_equal(loaded.positions[3:6], places(5)["positions"][2:])
    assert loaded.thumbnail(5) == places(5)["thumbnails"][4]
    with pytest.raises(MapError, match="without GPS need a new map"):
        session.save(tmp_path / "m", "c", "x")


def test_a_segment_takes_the_place_of_those_it_stands_for(session: Session, tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(3, 1)})
    extend(session, drive(5))
    session.save(path, "part", "x", LUND)
    extend(session, drive(7)[5:])
    session.save(path, "part", "x", LUND, first=5)
    write_map(path, {"z": places(2, 2)})
    open_before = PlaceMap.load(path)
    info = session.save(path, "whole", "x", LUND, replaces=["part", "part-2"])
    loaded = PlaceMap.load(path)
    assert [s.name for s in loaded.segments] == ["a", "whole", "z"]
    assert info.count == 7
    assert np.array_equal(loaded.positions, open_before.positions)
    assert np.array_equal(loaded.gather(range(12)), open_before.gather(range(12)))
    assert {Path(file).stem for file in tree(path)} == {".lock", "map", "a", "whole", "z"}
    # Who had the map open goes on, without the thumbnails that are gone: also once others have
    # their names.
    assert open_before.thumbnail(9) is None
    session.save(path, "part", "x", LUND)
    assert open_before.thumbnail(9) is None
    assert loaded.thumbnail(9) == places(7)["thumbnails"][6]
    with pytest.raises(MapError, match="m has no segment 'part-2' that could be replaced"):
        session.save(path, "whole", "x", LUND, replaces=["part", "part-2"])


def test_a_save_moves_places_into_the_frame_of_the_map(
    long_session: Session, tmp_path: Path
) -> None:
    dx, dy, dz, turn = 10.0, -20.0, 0.5, 2.0
    long_session.save(tmp_path / "m", "a", "x", transform=(dx, dy, dz, turn))
    moved, contents = PlaceMap.load(tmp_path / "m"), places(LONG)
    for n in (0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, LONG - 1):
        x, y, z = contents["positions"][n]
        expected = (
            math.cos(turn) * x - math.sin(turn) * y + dx,
            math.sin(turn) * x + math.cos(turn) * y + dy,
            z + dz,
        )
        assert moved.positions[n] == pytest.approx(expected)
        heading = float(contents["headings"][n]) + turn
        assert moved.headings[n] == pytest.approx(
            math.atan2(math.sin(heading), math.cos(heading)), abs=1e-6
        )
    assert np.array_equal(long_session.positions, contents["positions"])
    assert np.array_equal(moved.gather([4]), contents["descriptors"][4:5].astype("f2"))
    with pytest.raises(MapError, match=r"cannot be moved by \(nan, .*: give finite numbers"):
        long_session.save(tmp_path / "n", "a", "x", transform=(math.nan, 0.0, 0.0, 0.0))
    assert not (tmp_path / "n").exists()


def test_an_unknown_heading_stays_unknown_when_moved(session: Session, tmp_path: Path) -> None:
    session.append(replace(drive(1)[0], heading=math.nan))
    session.save(tmp_path / "m", "a", "x", transform=(1.0, 1.0, 0.0, 1.0))
    assert np.isnan(PlaceMap.load(tmp_path / "m").headings).all()


def test_without_thumbnails_there_is_no_file_of_them(session: Session, tmp_path: Path) -> None:
    extend(session, drive(4))
    extend(session, drive(3, thumbnails=False))
    assert session.save(tmp_path / "m", "a", "x", first=4).thumbnails is None
    assert session.save(tmp_path / "m", "b", "x", first=3).thumbnails is not None
    assert session.thumbnail(5) is None


def test_a_segment_names_the_camera_that_took_all_of_it(session: Session, tmp_path: Path) -> None:
    first, second = CAMERA, replace(CAMERA, fx=400.0)
    for place, camera in zip(drive(6), [None, first, first, second, second, second], strict=True):
        session.append(replace(place, camera=camera))
    assert [session.camera(place) for place in (0, 2, 3)] == [None, first, second]
    with pytest.raises(IndexError, match="place 6 of a session with 6"):
        session.camera(6)
    for begin, camera in ((0, None), (1, None), (3, second), (5, second)):
        info = session.save(tmp_path / f"from {begin}", "a", "x", first=begin)
        assert info.camera == camera
        assert PlaceMap.load(tmp_path / f"from {begin}").segments == (info,)


def test_a_place_that_did_not_fit_on_the_disk_has_no_camera(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, another = (replace(place, camera=CAMERA) for place in drive(2))
    session.append(one)
    with monkeypatch.context() as full:
        full.setattr(spool.os, "pwrite", _full)
        with pytest.raises(MapError):
            session.append(replace(another, camera=None))
    assert session.save(tmp_path / "one", "a", "x").camera == CAMERA
    session.append(another)
    assert session.save(tmp_path / "both", "a", "x").camera == CAMERA


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_to_save_is_one_line(session: Session, tmp_path: Path) -> None:
    for count in (0, 2):
        extend(session, drive(count))
        for first in (count, count + 1, -1):
            with pytest.raises(MapError, match=f"has {count} places and none from {first} on"):
                session.save(tmp_path / "m", "a", "x", first=first)
    assert not (tmp_path / "m").exists()


def test_a_map_that_another_program_writes_is_one_line(session: Session, tmp_path: Path) -> None:
    extend(session, drive(2))
    with (
        MapWriter(tmp_path / "m", MODEL, None),
        pytest.raises(MapError, match="another program is writing"),
    ):
        session.save(tmp_path / "m", "a", "x")
    session.save(tmp_path / "m", "a", "x")


def test_a_closed_session_is_one_line(session: Session, tmp_path: Path) -> None:
    place = drive(1)[0]
    session.append(place)
    session.close()
    session.close()
    for call in (
        lambda: session.append(place),
        lambda: session.save(tmp_path / "m", "a", "x"),
        lambda: session.thumbnail(0),
        lambda: session.read_rows("codes", 0, 1),
        lambda: session.map_descriptors(0, True),
    ):
        with pytest.raises(MapError, match="the session is closed"):
            call()
    assert len(session.positions) == 1


def test_a_save_has_the_places_of_when_it_began(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Places are appended before each block that is read, enough of them to outgrow all rooms."""
    extend(session, drive(LONG)[:10])
    blocks = spool.range_blocks

    def meanwhile(*arguments: Any) -> Iterator[memoryview]:
        extend(session, drive(600, seed=9, thumbnails=False))
        yield from blocks(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(spool, "range_blocks", meanwhile)
        session.save(tmp_path / "m", "a", "x")
    assert len(session) > CHUNK_ROWS
    assert_holds(tmp_path / "m", 0, 10)


def test_one_thread_appends_while_others_save_and_read(session: Session, tmp_path: Path) -> None:
    contents, saved, count = places(600), 0, 600
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen = len(session)
            assert np.array_equal(session.positions[:seen], contents["positions"][:seen])
            if seen:
                assert session.thumbnail(seen - 1) == (contents["thumbnails"][seen - 1] or None)
                row = session.read_rows("codes", seen - 1, seen)[0]
                assert np.array_equal(row, contents["codes"][seen - 1])

    with ThreadPoolExecutor(2) as threads:
        appending = threads.submit(extend, session, drive(count))
        looking = threads.submit(look)
        while saved < count:
            if len(session) > saved:
                saved += session.save(tmp_path / "m", "a", "x", first=saved).count
        done.set()
        appending.result()
        looking.result()
    loaded = PlaceMap.load(tmp_path / "m")
    assert len(loaded.segments) > 1
    assert np.array_equal(loaded.positions, contents["positions"])
    assert np.array_equal(loaded.gather(range(count)), contents["descriptors"].astype("f2"))
    assert [loaded.thumbnail(n) or b"" for n in range(count)] == contents["thumbnails"]


def test_closing_waits_for_a_save(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    extend(session, drive(LONG)[:10])
    blocks, reached, go_on = spool.range_blocks, threading.Event(), threading.Event()

    def waiting(*arguments: Any) -> Iterator[memoryview]:
        reached.set()
        assert go_on.wait(60)
        yield from blocks(*arguments)

    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setattr(spool, "range_blocks", waiting)
        saving = threads.submit(session.save, tmp_path / "m", "a", "x")
        assert reached.wait(60)
        closing = threads.submit(session.close)
        assert not closing.done()
        go_on.set()
        assert saving.result().count == 10
        closing.result()
    assert_holds(tmp_path / "m", 0, 10)


def test_nothing_is_seen_in_the_folder(session: Session, tmp_path: Path) -> None:
    extend(session, drive(20))
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MapError, match=r"session's files in .*file cannot be written"):
        Session(MODEL, tmp_path / "file")


def test_memory_does_not_grow_with_descriptors_and_thumbnails(tmp_path: Path) -> None:
    model = ModelInfo("ab" * 32, "t", "tiny", False, 1024, 64)
    place = replace(drive(1, 0, model)[0], thumbnail=bytes(5000))
    with Session(model, tmp_path) as session:
        tracemalloc.start()
        extend(session, [place] * 1500)
        session.save(tmp_path / "m", "a", "x")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) > 10e6
    assert peak < 2.5e6
