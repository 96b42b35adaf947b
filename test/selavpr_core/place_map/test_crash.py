"""SIGKILL at any moment leaves a map that loads and holds everything finished before."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap, merge_maps

from . import victims
from .maps import MODEL, places, tree, write_map

# Children are forked from a server that has imported everything once.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([victims.__name__])


def start(target: Callable[..., None], *arguments: Any) -> tuple[Any, Connection]:
    reader, writer = CONTEXT.Pipe(duplex=False)
    child = CONTEXT.Process(target=target, args=(*arguments, writer))
    child.start()
    writer.close()
    return child, reader


def reports(pipe: Connection) -> list[Any]:
    """Return what a child that is dead, or about to be, reported."""
    received = []
    while True:
        try:
            received.append(pipe.recv())
        except EOFError:
            return received


def check(path: Path, finished: list[int]) -> PlaceMap:
    """Check that the map holds the finished segments, whole, and at most the one under way."""
    loaded = PlaceMap.load(path, MODEL.fingerprint)
    names = [segment.name for segment in loaded.segments]
    numbers = [int(name.removeprefix("s")) for name in names]
    assert set(finished) <= set(numbers)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) <= len(finished) + 1
    place = 0
    for number in numbers:
        for part in range(2):
            contents = places(victims.size_of(number), 2 * number + part)
            rows = range(place, place + len(contents["stamps"]))
            assert np.array_equal(loaded.positions[rows], contents["positions"])
            assert np.array_equal(loaded.gather(rows), contents["descriptors"].astype(np.float16))
            assert [loaded.thumbnail(n) or b"" for n in rows] == contents["thumbnails"]
            place = rows.stop
    assert place == len(loaded)
    return loaded


def test_killed_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "m"
    rng = random.Random(0)
    finished: list[int] = []
    killed_inside = 0
    for _ in range(60):
        child, pipe = start(victims.append_forever, path, len(finished))
        # Some segments and a random part of the next one: a segment takes a few milliseconds.
        for _ in range(1 + rng.randrange(3)):
            report = pipe.recv()
            if report != "opened":
                finished.append(report)
        time.sleep(rng.uniform(0, 0.02))
        child.kill()
        child.join()
        finished += [report for report in reports(pipe) if report != "opened"]
        killed_inside += (path / ".writing").is_dir() and any((path / ".writing").iterdir())
        loaded = check(path, finished)
        finished = list(range(len(loaded.segments)))
    assert len(finished) >= 60
    assert killed_inside >= 10  # or the test would not test anything
    # The next writer removes what the killed ones left.
    write_map(path, {})
    named = {
        file
        for segment in check(path, finished).segments
        for file in (segment.data.file, segment.thumbnails and segment.thumbnails.file)
    }
    assert tree(path) == (named - {None}) | {".lock", "map.json"}


def test_killed_at_every_step(tmp_path: Path) -> None:
    outcomes = set()
    for die_at in range(10_000):
        path = tmp_path / str(die_at)
        child, pipe = start(victims.append_two, path, die_at)
        received = reports(pipe)
        child.join()
        finished = [report for report in received if isinstance(report, int)]
        if "opened" in received:
            outcomes.add((len(finished), len(check(path, finished).segments)))
        else:
            # The map came into being or it did not; neither is an obstacle.
            with suppress(MapError):
                check(path, [])
        if "closed" in received:
            break
        assert child.exitcode == -9
        before = len(PlaceMap.load(path)) if "opened" in received else 0
        write_map(path, {"after": places(2)})
        assert len(PlaceMap.load(path)) == before + 2
        assert not (path / ".writing").exists()
    assert die_at > 100
    # Died between the manifest's replacement and the report, too.
    assert outcomes == {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)}


@pytest.mark.parametrize("datum", [None, Datum.at(55.75, 11.97)])
def test_a_merge_killed_at_every_step_leaves_no_half_map(
    tmp_path: Path, datum: Datum | None
) -> None:
    sources = [write_map(tmp_path / "a", {"a": places(3), "b": places(2)})]
    if datum is not None:
        sources.append(write_map(tmp_path / "c", {"c": places(3)}, datum=datum))
    expected = merge_maps(sources, tmp_path / "expected").positions
    outcomes = set()
    for die_at in range(10_000):
        output = tmp_path / "out" / str(die_at) / "map"
        child, pipe = start(victims.merge, sources, output, die_at)
        received = reports(pipe)
        child.join()
        exists = output.exists()
        outcomes.add((exists, bool(received)))
        if exists:
            assert np.array_equal(PlaceMap.load(output).positions, expected)
        if received:
            break
        assert child.exitcode == -9
        if not exists:
            assert np.array_equal(merge_maps(sources, output).positions, expected)
        assert [p.name for p in output.parent.iterdir()] == ["map"]
    assert die_at > 50
    assert outcomes == {(False, False), (True, False), (True, True)}
    for source in sources:
        assert len(PlaceMap.load(source)) in (3, 5)


def check_session(path: Path, places_of_a_round: int, saved: int) -> PlaceMap:
    """Check that the map holds a session's first places, at least those reported as saved."""
    loaded, contents = PlaceMap.load(path, MODEL.fingerprint), places(places_of_a_round)
    assert len(loaded) >= saved
    rows = np.arange(len(loaded)) % places_of_a_round
    assert np.array_equal(loaded.positions, contents["positions"][rows])
    assert np.array_equal(
        loaded.gather(range(len(loaded))), contents["descriptors"][rows].astype(np.float16)
    )
    thumbnails = [loaded.thumbnail(n) or b"" for n in range(len(loaded))]
    assert thumbnails == [contents["thumbnails"][row] for row in rows]
    return loaded


def test_a_session_killed_while_it_grows_leaves_all_that_was_saved(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    for number in range(5):
        path = tmp_path / str(number)
        child, pipe = start(victims.drive_forever, path, spool)
        saved = 0
        while saved <= 15 * number:
            saved = pipe.recv()
        child.kill()
        child.join()
        saved = [saved, *reports(pipe)][-1]
        check_session(path, 50, saved)
        assert list(spool.iterdir()) == []  # what was not saved does not pile up
        write_map(path, {"after": places(2)})


def test_parts_of_a_session_are_replaced_by_the_whole_or_not(tmp_path: Path) -> None:
    outcomes = set()
    for die_at in range(0, 10_000, 3):  # before and after a call by turns
        path = tmp_path / str(die_at)
        child, pipe = start(victims.replace_parts, path, tmp_path / "spool", die_at)
        received = reports(pipe)
        child.join()
        assert received[0] == 2
        loaded = check_session(path, 3, 3 if 3 in received else 2)
        outcomes.add((3 in received, len(loaded)))
        assert len(loaded.segments) == 1
        write_map(path, {"after": places(2)})
        named = {s.data.file for s in PlaceMap.load(path).segments}
        assert {file for file in tree(path) if file.startswith("segments")} == named
        if "closed" in received:
            break
        assert child.exitcode == -9
    assert die_at > 30
    assert outcomes == {(False, 2), (False, 3), (True, 3)}
