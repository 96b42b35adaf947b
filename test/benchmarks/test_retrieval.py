"""What the figures of the search are taken from; the figures themselves are not tested."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from benchmarks import retrieval
from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer

PLACES, DIM = 250, 600


@pytest.fixture(scope="module")
def place_map(tmp_path_factory: pytest.TempPathFactory) -> PlaceMap:
    folder = tmp_path_factory.mktemp("retrieval") / "map"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "WRITE_ROWS", 100)  # the last part is not a whole one
        retrieval.write_map(folder, PLACES, DIM)
    return PlaceMap.load(folder)


def test_codes_belong_to_their_descriptors(place_map: PlaceMap) -> None:
    assert len(place_map) == PLACES
    assert place_map.codes is not None
    descriptors = place_map.gather(range(PLACES))
    expected = np.packbits(descriptors[:, : 8 * retrieval.CODE_BYTES] >= 0, axis=1)
    # Rounding to float16 may bring a value to zero, never across it.
    assert np.array_equal(np.concatenate(place_map.codes), expected)
    assert len(np.unique(descriptors, axis=0)) == PLACES


def test_queries_are_all_different_and_each_finds_its_place(place_map: PlaceMap) -> None:
    queries = retrieval.make_queries(place_map)
    assert len(queries) == retrieval.QUERIES
    assert len({descriptor.tobytes() for _, descriptor in queries}) == retrieval.QUERIES
    wanted = np.random.default_rng(1).integers(0, PLACES, retrieval.QUERIES)
    cosines = [place_map.gather([n])[0] @ q[1] for n, q in zip(wanted, queries, strict=True)]
    assert np.mean(cosines) == pytest.approx(0.6, abs=0.05)
    localizer = Localizer(place_map, "two-stage", 20)
    found = [localizer.localize(*query, 1)[0].place for query in queries]
    assert found == wanted.tolist()


def test_measurements_take_turns_until_each_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "MAX_ROUNDS", 50)
    asked: dict[str, list[int]] = {"first": [], "second": []}
    order: list[str] = []

    def measurement(name: str):  # type: ignore[no-untyped-def]
        def measure(query: object) -> float:
            asked[name].append(query)  # type: ignore[arg-type]
            order.append(name)
            return float(len(asked[name]))

        return measure

    samples = retrieval.take_turns(
        {name: measurement(name) for name in asked},
        list(range(7)),  # type: ignore[arg-type]
        "turns",
    )
    for name, values in samples.items():
        assert len(values) >= 50
        assert values.tolist() == [n + 1 for n in range(len(values))]
        assert set(asked[name]) == set(range(7))
    # By turns, so that what else the machine does meets both.
    assert order.index("second") < len(samples["first"])
    assert "first" in order[order.index("second") :]


def test_slow_measurements_end_after_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "SECONDS_EACH", 0.0)
    samples = retrieval.take_turns({"only": lambda _: 1.0}, [0], "turns")  # type: ignore[list-item]
    assert retrieval.MIN_ROUNDS <= len(samples["only"]) < retrieval.MAX_ROUNDS


def test_memory_is_that_of_this_process() -> None:
    before = retrieval.resident()["anonymous"]
    # Asked of the system: an array may be given memory that was resident and free before.
    with mmap.mmap(-1, 40_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(bytes(len(held)))
        assert retrieval.resident()["anonymous"] - before == pytest.approx(40, abs=8)


def test_the_report_names_every_figure(
    place_map: PlaceMap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retrieval, "MAX_ROUNDS", 5)
    times = retrieval.measure_times(place_map, "searching")
    assert all(0 < figure["min_ms"] <= figure["median_ms"] for figure in times.values())
    memory = retrieval.memory_of(place_map.path)
    ratios = {"hamming_to_code_pass": 1.5, "hamming_to_faiss": 0.9, "float_only_to_whole": 12.0}
    result = {"places": PLACES, "descriptor_dim": DIM, "times": times, "ratios": ratios}
    retrieval.print_report({**result, "memory": memory})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("250 places, 600-d")
    assert len(lines) == 2 + 7 + 3 + 3
    assert any("float-only / whole query" in line and line.endswith("12.0") for line in lines)
