from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.describer import Description
from test.training.evaluation.fakes import CODE_BYTES, DIM, code, vector
from training.evaluation.descriptions import Descriptions
from training.evaluation.latency import TimedQuery, _percentiles, _Places, time_search


def descriptions(count: int, unreadable: set[int]) -> Descriptions:
    codes = np.stack([code(n) for n in range(count)])
    vectors = np.stack([vector(n) for n in range(count)]).astype(np.float16)
    return Descriptions(codes, vectors, dict.fromkeys(sorted(unreadable), "no image"), count)


@settings(deadline=None)
@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_what_lies_between_unreadable_images_is_a_segment(case: tuple[int, set[int]]) -> None:
    count, unreadable = case
    database = descriptions(count, unreadable)
    places = _Places(database)
    expected: list[list[int]] = [[]]
    for number in range(count):
        if number in unreadable:
            expected.append([])
        else:
            expected[-1].append(number)
    runs = [run for run in expected if run]
    assert places.codes is not None
    assert places.descriptors is not None
    assert [len(segment) for segment in places.codes] == [len(run) for run in runs]
    for segment, run in zip(places.codes, runs, strict=True):
        assert np.array_equal(segment, np.stack([code(n) for n in run]))
    for segment, run in zip(places.descriptors, runs, strict=True):
        assert np.array_equal(segment, np.stack([vector(n) for n in run]).astype(np.float16))
    assert (places.model.code_bytes, places.model.descriptor_dim) == (CODE_BYTES, DIM)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_those_of_the_sorted_values(values: list[float]) -> None:
    """Linear between the two neighbours, counted by hand."""
    found = _percentiles(values)
    ordered = sorted(values)
    for share in (50, 90, 99):
        below, part = divmod(share / 100 * (len(ordered) - 1), 1)
        first = ordered[int(below)]
        second = ordered[min(int(below) + 1, len(ordered) - 1)]
        assert found[str(share)] == pytest.approx(first + part * (second - first), abs=1e-6)
    assert found["max"] == ordered[-1]


@pytest.mark.parametrize(
    ("mode", "stages"),
    [("two-stage", {"hamming", "reranking"}), ("code", {"hamming"}), ("float", {"exhaustive"})],
)
def test_each_stage_is_told_in_milliseconds_and_the_whole_is_their_sum(
    mode: str, stages: set[str]
) -> None:
    database = descriptions(9, {4})
    asked = [
        TimedQuery(
            Description(code(n)[None], vector(n)[None]), {"preprocessing": 2, "inference": 3}
        )
        for n in (1, 7)
    ]
    found = time_search(asked, database, mode, 4, 2, progress=False)  # type: ignore[arg-type]
    assert found.keys() == {"preprocessing", "inference", "whole", *stages}
    assert set(found["preprocessing"].values()) == {2000.0}
    assert all(5000 < value < 15_000 for value in found["whole"].values())
    assert all(0 <= value < 10_000 for stage in stages for value in found[stage].values())


def test_without_queries_nothing_was_measured() -> None:
    assert time_search([], descriptions(3, set()), "float", 4, 2, progress=False) == {}
