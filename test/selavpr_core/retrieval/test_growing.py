from __future__ import annotations

import re
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.errors import MapError
from selavpr_core.place_map import ModelInfo, Place, PlaceMap, Session
from selavpr_core.place_map.spool import CHUNK_ROWS
from selavpr_core.retrieval import GrowingIndex, Localizer, Mode, growing

from ..place_map.maps import MODEL, drive, places

LONG = CHUNK_ROWS + 200
QUERY: dict[str, Any] = {"code": np.zeros(8, np.uint8), "descriptor": np.eye(16)[0]}


def session_of(looks: list[tuple[bytes, list[float]]]) -> Session:
    """Return a session of places with these codes and descriptors."""
    session = Session(MODEL)
    for number, (code, descriptor) in enumerate(looks):
        session.append(
            Place(np.frombuffer(code, np.uint8), np.array(descriptor), (0.0, 0.0, 0.0), number)
        )
    return session


def assert_like_a_localizer(
    index: GrowingIndex, place_map: PlaceMap, queries: list[Any], count: int | None
) -> None:
    localizer = Localizer(place_map, index.mode, index.candidates)
    for code, descriptor in queries:
        assert index.localize(code, descriptor, count) == (
            localizer.localize(code, descriptor, count)
        )


# Descriptors of +-1/4 have length 1 and exact inner products: ties are many and real.
SIGNS = st.lists(st.sampled_from([-0.25, 0.25]), min_size=16, max_size=16)
LOOK = st.tuples(st.binary(min_size=8, max_size=8), SIGNS)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(LOOK, min_size=1, max_size=4).flatmap(
        lambda kinds: st.lists(st.sampled_from(kinds), min_size=1, max_size=30)
    ),
    LOOK,
    st.lists(st.integers(0, 30), max_size=4),
    st.integers(1, 40),
    st.none() | st.integers(0, 40),
)
def test_the_answers_are_a_localizers_over_what_was_released(
    looks: list[Any], other: Any, releases: list[int], candidates: int, count: int | None
) -> None:
    code, descriptor = np.frombuffer(other[0], np.uint8), np.array(other[1])
    queries = [(code, descriptor), (np.frombuffer(looks[0][0], np.uint8), np.array(looks[-1][1]))]
    released = 0
    with session_of(looks) as session, tempfile.TemporaryDirectory() as folder:
        indexes = [GrowingIndex(session, mode, candidates) for mode in get_args(Mode)]
        assert [index.localize(*queries[0], count) for index in indexes] == [[]] * 3
        for release in releases:
            released = max(released, min(release, len(looks)))
            for index in indexes:
                index.release(min(release, len(looks)))
                index.localize(*queries[0], count)
                assert len(index) == released
        if released:
            with session_of(looks[:released]) as part:
                part.save(Path(folder) / "m", "a", "x")
            for index in indexes:
                assert_like_a_localizer(index, PlaceMap.load(Path(folder) / "m"), queries, count)


@pytest.fixture(scope="module")
def long_session() -> Any:
    with Session(MODEL) as session:
        for place in drive(LONG, thumbnails=False):
            session.append(place)
        yield session


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_over_more_places_than_are_mapped_at_a_time(
    long_session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, limit: int
) -> None:
    monkeypatch.setattr(growing, "_RESIDENT_BYTES", limit)  # 0: everything is forgotten at once
    long_session.save(tmp_path / "m", "a", "x")
    contents = places(LONG)
    rows = [0, 7, CHUNK_ROWS - 1, CHUNK_ROWS, LONG - 1]
    queries = [(contents["codes"][n], contents["descriptors"][n]) for n in rows]
    index = GrowingIndex(long_session, mode, 30)
    for release in (5, CHUNK_ROWS, CHUNK_ROWS + 1, LONG):  # at and around the border
        index.release(release)
        for n, query in zip(rows, queries, strict=True):
            found = index.localize(*query)[0].place
            assert found == n if n < release else found < release
    assert_like_a_localizer(index, PlaceMap.load(tmp_path / "m"), queries, 12)
    assert index.last_timings


def test_a_place_is_found_once_it_is_released(tmp_path: Path) -> None:
    contents = places(10)
    with Session(MODEL, tmp_path) as session:
        index = GrowingIndex(session)
        for number, place in enumerate(drive(10)):
            session.append(place)
            found = index.localize(contents["codes"][number], contents["descriptors"][number])
            assert sorted(match.place for match in found) == list(range(number))
            index.release(number + 1)
            found = index.localize(contents["codes"][number], contents["descriptors"][number])
            assert (found[0].place, found[0].hamming) == (number, 0)


def test_releasing_never_shrinks_and_needs_places(tmp_path: Path) -> None:
    with Session(MODEL, tmp_path) as session:
        index = GrowingIndex(session)
        for place in drive(3):
            session.append(place)
        index.release(3)
        for fewer in (-10, 0, 2, 3):
            index.release(fewer)
            assert len(index) == 3
        with pytest.raises(IndexError, match="4 of a session's 3 places"):
            index.release(4)
        assert len(index.localize(**QUERY)) == 3


@pytest.mark.parametrize(("missing", "fitting"), [("codes", "float"), ("descriptors", "code")])
def test_a_session_with_one_branch_needs_the_mode_that_fits(
    tmp_path: Path, missing: str, fitting: Mode
) -> None:
    sizes = (16, None) if missing == "codes" else (None, 8)
    model = ModelInfo("ab" * 32, "t", "tiny", False, *sizes)
    with Session(model, tmp_path) as session:
        for place in drive(5, 1, model):
            session.append(place)
        for mode in get_args(Mode):
            if mode != fitting:
                with pytest.raises(MapError, match=f"the session has no {missing}: only mode"):
                    GrowingIndex(session, mode)
        index = GrowingIndex(session, fitting)
        index.release(5)
        for number, place in enumerate(drive(5, 1, model)):
            assert index.localize(place.code, place.descriptor)[0].place == number


def test_wrong_settings_and_queries_are_one_line(long_session: Session) -> None:
    with pytest.raises(MapError, match="choose one of two-stage, code, float"):
        GrowingIndex(long_session, "fast")  # type: ignore[arg-type]
    with pytest.raises(MapError, match="at least 1"):
        GrowingIndex(long_session, candidates=0)
    with pytest.raises(MapError, match="needs a code"):
        GrowingIndex(long_session).localize(None, QUERY["descriptor"])


def test_a_closed_session_is_still_searched(tmp_path: Path) -> None:
    session = Session(MODEL, tmp_path)
    for place in drive(20):
        session.append(place)
    index = GrowingIndex(session)
    index.release(10)
    before = index.localize(**QUERY)
    session.close()
    assert index.localize(**QUERY) == before
    for count in (11, 20):
        with pytest.raises(MapError, match="the session is closed"):
            index.release(count)
    assert index.localize(**QUERY) == before


def test_one_thread_releases_while_others_search(tmp_path: Path) -> None:
    contents, done = places(500), threading.Event()

    def search(index: GrowingIndex) -> int:
        searches = 0
        while not done.is_set():
            before = len(index)
            found = {match.place for match in index.localize(**QUERY)}
            assert len(found) >= min(before, 500)
            assert not found or max(found) < len(index)
            searches += 1
        return searches

    with Session(MODEL, tmp_path) as session, ThreadPoolExecutor(2) as threads:
        index = GrowingIndex(session, candidates=500)
        searching = [threads.submit(search, index) for _ in range(2)]
        for number, place in enumerate(drive(500)):
            session.append(place)
            index.release(number + 1)
        done.set()
        assert min(future.result() for future in searching) > 0
        for number in range(0, 500, 50):
            found = index.localize(contents["codes"][number], contents["descriptors"][number])
            assert found[0].place == number


def test_memory_is_bounded_whatever_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ModelInfo("ab" * 32, "t", "tiny", False, 1024, 8)
    contents = places(CHUNK_ROWS, 0, model, thumbnails=False)
    query = {"code": contents["codes"][0], "descriptor": contents["descriptors"][0]}
    with Session(model, tmp_path) as session:
        for place in drive(CHUNK_ROWS, 0, model, thumbnails=False):
            session.append(place)
        index = GrowingIndex(session, candidates=CHUNK_ROWS)
        index.release(CHUNK_ROWS)
        index.localize(**query)
        assert mapped_resident(tmp_path) == 2 * 1024 * CHUNK_ROWS
        monkeypatch.setattr(growing, "_RESIDENT_BYTES", 1 << 20)
        before = index.localize(**query)
        assert mapped_resident(tmp_path) == 0
        assert index.localize(**query) == before


def mapped_resident(folder: Path) -> int:
    """Return how much of the files mapped from a folder counts as this process's memory."""
    mappings = re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.M
    )
    return sum(
        1024 * int(mapping.split("Rss:")[1].split()[0])
        for mapping in mappings
        if str(folder) in mapping
    )
