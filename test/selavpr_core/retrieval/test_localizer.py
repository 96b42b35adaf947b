from __future__ import annotations

import math
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.errors import MapError
from selavpr_core.place_map import ModelInfo, PlaceMap
from selavpr_core.retrieval import Localizer, Match, Mode

from ..place_map.maps import places, write_map

DIM, CODE_BYTES = 16, 8
QUERY: dict[str, Any] = {"code": np.zeros(8, np.uint8), "descriptor": np.eye(16)[0]}


def bits(code: Any, other: Any) -> int:
    return sum((int(a) ^ int(b)).bit_count() for a, b in zip(code, other, strict=True))


def cosine(descriptor: Any, other: Any) -> float:
    return math.fsum(float(a) * float(b) for a, b in zip(descriptor, other, strict=True))


def oracle(
    mode: str, codes: np.ndarray, descriptors: np.ndarray, code: Any, descriptor: Any,
    candidates: int, count: int,
) -> list[tuple[int, float, int | None, int, int | None]]:  # fmt: skip
    """Search with plain loops over all places."""
    everywhere = range(len(codes))
    if mode == "float":
        similar = [cosine(descriptor, row) for row in descriptors]
        best = sorted(everywhere, key=lambda n: (-similar[n], n))[:count]
        return [(n, similar[n], None, rank, None) for rank, n in enumerate(best)]
    distance = [bits(code, row) for row in codes]
    by_code = sorted(everywhere, key=lambda n: (distance[n], n))
    if mode == "code":
        return [
            (n, 1 - 2 * distance[n] / (8 * CODE_BYTES), distance[n], rank, rank)
            for rank, n in enumerate(by_code[:count])
        ]
    shortlist = by_code[:candidates]
    similar = [cosine(descriptor, row) for row in descriptors]
    best = sorted(shortlist, key=lambda n: (-similar[n], n))[:count]
    return [(n, similar[n], distance[n], rank, shortlist.index(n)) for rank, n in enumerate(best)]


# Descriptors of +-1/4 have length 1 and exact inner products: ties are many and real.
SIGNS = st.lists(st.sampled_from([-0.25, 0.25]), min_size=DIM, max_size=DIM)
CODE = st.binary(min_size=CODE_BYTES, max_size=CODE_BYTES)


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    looks = draw(st.lists(st.tuples(CODE, SIGNS), min_size=1, max_size=4))
    look = st.tuples(st.sampled_from(looks), st.sampled_from(looks))
    numbers = draw(st.lists(look, max_size=30))
    return {
        "codes": np.array([list(a[0]) for a, _ in numbers], np.uint8).reshape(-1, CODE_BYTES),
        "descriptors": np.array([b[1] for _, b in numbers]).reshape(-1, DIM),
        "cuts": sorted(draw(st.lists(st.integers(0, len(numbers)), max_size=2))),
        "code": np.frombuffer(draw(st.sampled_from([k[0] for k in looks]) | CODE), np.uint8),
        "descriptor": np.array(draw(st.sampled_from([k[1] for k in looks]) | SIGNS)),
        "candidates": draw(st.integers(1, 40)),
        "count": draw(st.none() | st.integers(0, 40)),
    }


@settings(deadline=None, max_examples=60)
@given(searches())
def test_every_mode_against_plain_loops(search: dict[str, Any]) -> None:
    segments = {}
    for number, rows in enumerate(np.split(np.arange(len(search["codes"])), search["cuts"])):
        segments[f"s{number}"] = {
            **places(len(rows)),
            "codes": search["codes"][rows],
            "descriptors": search["descriptors"][rows],
        }
    with tempfile.TemporaryDirectory() as folder:
        place_map = PlaceMap.load(write_map(Path(folder) / "m", segments))
    for mode in get_args(Mode):
        localizer = Localizer(place_map, mode, search["candidates"])
        matches = localizer.localize(search["code"], search["descriptor"], search["count"])
        count = search["candidates"] if search["count"] is None else search["count"]
        assert [tuple(match) for match in matches] == oracle(
            mode, search["codes"], search["descriptors"], search["code"], search["descriptor"],
            search["candidates"], count,
        )  # fmt: skip


@pytest.fixture
def campus(tmp_path: Path) -> PlaceMap:
    return PlaceMap.load(write_map(tmp_path / "m", {"a": places(70, 1), "b": places(50, 2)}))


@pytest.mark.parametrize("mode", get_args(Mode))
def test_on_real_numbers(campus: PlaceMap, mode: Mode) -> None:
    assert campus.codes is not None
    codes, descriptors = np.concatenate(campus.codes), campus.gather(range(120))
    localizer = Localizer(campus, mode, 30)
    for seed in range(20):
        query = places(1, 100 + seed)
        code, descriptor = query["codes"][0], query["descriptors"][0]
        matches = localizer.localize(code, descriptor, 12)
        expected = oracle(mode, codes, descriptors, code, descriptor, 30, 12)
        assert [match.place for match in matches] == [match[0] for match in expected]
        for match, wanted in zip(matches, expected, strict=True):
            assert match.similarity == pytest.approx(wanted[1], abs=1e-6)
            assert (match.hamming, match.rank, match.hamming_rank) == wanted[2:]


def test_a_match_has_plain_python_numbers(campus: PlaceMap) -> None:
    (match,) = Localizer(campus).localize(**QUERY, count=1)
    assert isinstance(match, Match)
    assert [type(value) for value in match] == [int, float, int, int, int]


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_place_finds_itself(campus: PlaceMap, mode: Mode) -> None:
    contents = places(50, 2)
    localizer = Localizer(campus, mode)
    for row in (0, 17, 49):
        best = localizer.localize(contents["codes"][row], contents["descriptors"][row])[0]
        assert best.place == 70 + row
        assert best.similarity == pytest.approx(1, abs=1e-3)
        assert best.similarity <= 1  # float16 may have made the stored one longer
        assert best.hamming in (0, None)


def test_the_length_of_the_query_does_not_matter(campus: PlaceMap) -> None:
    localizer = Localizer(campus, "float")
    descriptor = places(1, 5)["descriptors"][0]
    unit, long = (localizer.localize(None, scale * descriptor, 5) for scale in (1, 1000))
    assert [m.place for m in unit] == [m.place for m in long]
    assert [m.similarity for m in unit] == pytest.approx([m.similarity for m in long], abs=1e-6)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_an_empty_map_knows_no_place(tmp_path: Path, mode: Mode) -> None:
    empty = PlaceMap.load(write_map(tmp_path / "m", {}))
    assert Localizer(empty, mode).localize(**QUERY) == []


@pytest.mark.parametrize(("missing", "fitting"), [("codes", "float"), ("descriptors", "code")])
def test_a_map_with_one_branch_needs_the_mode_that_fits(
    tmp_path: Path, missing: str, fitting: Mode
) -> None:
    sizes = (DIM, None) if missing == "codes" else (None, CODE_BYTES)
    model = ModelInfo("ab" * 32, "t", "tiny", False, *sizes)
    one = PlaceMap.load(write_map(tmp_path / "m", {"a": places(5, 1, model)}, model))
    for mode in get_args(Mode):
        if mode != fitting:
            with pytest.raises(MapError, match=f"no {missing}: only mode {fitting}"):
                Localizer(one, mode)
    contents = places(5, 1, model)
    for place in range(5):
        code = None if contents["codes"] is None else contents["codes"][place]
        descriptor = None if contents["descriptors"] is None else contents["descriptors"][place]
        assert Localizer(one, fitting).localize(code, descriptor)[0].place == place


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"code": None}, "needs a code, but the query has none"),
        ({"descriptor": None}, "needs a descriptor, but the query has none"),
        ({"code": np.zeros(9, np.uint8)}, r"shape \[9\] and type uint8, .* needs \[8\] uint8"),
        ({"code": np.zeros((1, 8), np.uint8)}, r"shape \[1, 8\]"),
        ({"code": np.zeros(8, np.float32)}, "type float32"),
        ({"descriptor": np.ones(15)}, r"shape \[15\], .* needs \[16\]"),
        ({"descriptor": np.full(16, np.nan)}, "NaN, infinite or all zero"),
        ({"descriptor": np.array([np.inf] + [0] * 15)}, "NaN, infinite or all zero"),
        ({"descriptor": np.zeros(16)}, "NaN, infinite or all zero"),
        ({"count": -1}, "cannot be -1"),
    ],
)
def test_a_query_that_cannot_be_searched_is_one_line(
    campus: PlaceMap, change: dict[str, Any], problem: str
) -> None:
    localizer = Localizer(campus)
    with pytest.raises(MapError, match=problem) as error:
        localizer.localize(**{**QUERY, **change})
    assert "\n" not in str(error.value)
    assert len(localizer.localize(**QUERY)) == 100


def test_wrong_settings_are_refused(campus: PlaceMap) -> None:
    with pytest.raises(MapError, match="choose one of two-stage, code, float"):
        Localizer(campus, "fast")  # type: ignore[arg-type]
    with pytest.raises(MapError, match="at least 1"):
        Localizer(campus, candidates=0)


@pytest.mark.parametrize(
    ("mode", "stages"),
    [
        ("two-stage", {"hamming", "reranking"}),
        ("code", {"hamming"}),
        ("float", {"exhaustive"}),
    ],
)
def test_stages_are_timed(campus: PlaceMap, mode: Mode, stages: set[str]) -> None:
    localizer = Localizer(campus, mode)
    assert localizer.last_timings == {}
    localizer.localize(**QUERY)
    assert localizer.last_timings.keys() == stages
    assert all(seconds > 0 for seconds in localizer.last_timings.values())


@pytest.mark.parametrize("mode", get_args(Mode))
def test_several_threads_get_their_own_answers(campus: PlaceMap, mode: Mode) -> None:
    localizer = Localizer(campus, mode, 20)
    queries = [
        (query["codes"][0], query["descriptors"][0]) for query in (places(1, n) for n in range(64))
    ]
    expected = [localizer.localize(*query) for query in queries]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda query: localizer.localize(*query), queries * 4)) == (
            expected * 4
        )


@pytest.mark.parametrize(("mode", "advice"), [("two-stage", "rr"), ("float", "sr")])
def test_the_kernel_knows_how_the_map_will_be_read(
    campus: PlaceMap, mode: Mode, advice: str
) -> None:
    Localizer(campus, mode)
    mappings = re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.M
    )
    ours = [mapping for mapping in mappings if str(campus.path) in mapping]
    assert len(ours) == 2
    for mapping in ours:
        assert f" {advice} " in mapping.split("VmFlags:")[1]


def test_the_map_stays_on_disk() -> None:
    """Loading and searching add no memory for descriptors: in a process of its own."""
    import multiprocessing

    model = ModelInfo("ab" * 32, "t", "tiny", False, 1024, 64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        write_map(path, {"a": places(20_000, 1, model, thumbnails=False)}, model)
        assert (path / "segments/a.safetensors").stat().st_size > 42e6
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            added = pool.apply(anonymous_memory_of_a_search, (path,))
    # The codes take 1.3 MB; the rest is a margin for what Python allocates.
    assert added < 12e6


def anonymous_memory_of_a_search(path: Path) -> float:
    before = anonymous_memory()
    localizer = Localizer(PlaceMap.load(path))
    for query in range(20):
        contents = places(1, query, localizer.place_map.model)
        localizer.localize(contents["codes"][0], contents["descriptors"][0])
    return anonymous_memory() - before


def anonymous_memory() -> float:
    status = Path("/proc/self/status").read_text()
    return 1024.0 * int(status.split("RssAnon:")[1].split()[0])
