from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.recall.measuring import Figures, measure
from selavpr_core.describer import Describer
from test.training.evaluation.fakes import CODE_BYTES, DIM, FakeDescriber, write_image
from training.evaluation import EvaluationSet


def random_set(folder: Path, seed: int) -> tuple[EvaluationSet, dict[int, Any], dict[int, Any]]:
    """A set of random descriptions and truth, one query without right place; floats, then codes."""
    rng = np.random.default_rng(seed)
    count, asked = 12, 9
    paths = [write_image(folder / f"{n}.png", n) for n in range(count + asked)]
    vectors = {n: rng.standard_normal(DIM) for n in range(count + asked)}
    vectors = {n: v / np.linalg.norm(v) for n, v in vectors.items()}
    codes = {n: rng.integers(0, 256, CODE_BYTES) for n in range(count + asked)}
    positives = [np.flatnonzero(rng.random(count) < 0.25) for _ in range(asked - 1)]
    positives.append(np.empty(0, np.int64))
    made = EvaluationSet(
        name="made up",
        variant="made up",
        database=paths[:count],
        queries=paths[count:],
        positives=positives,
        database_positions=None,
        query_positions=None,
        rule="as drawn",
        count_without_positives=True,
        database_keys=[path.name for path in paths[:count]],
        query_keys=[path.name for path in paths[count:]],
    )
    return made, vectors, codes


def recalls(made: EvaluationSet, similarity: Any, n: int) -> float:
    """Plain loops: the share of all queries with a right place among the n most similar ones."""
    count, right = len(made.database), 0
    for number, positives in enumerate(made.positives):
        order = sorted(range(count), key=lambda place: -similarity(count + number, place))
        right += any(place in positives for place in order[:n])
    return right / len(made.queries)


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_plain_loops(tmp_path: Path, seed: int) -> None:
    made, vectors, codes = random_set(tmp_path, seed)
    other = {n: -v[::-1] for n, v in vectors.items()}
    model = cast(Describer, FakeDescriber(vectors, codes))
    baseline = cast(Describer, FakeDescriber(other, branches=("float",), fingerprint="cd" * 32))
    figures = measure(model, made, tmp_path / "work", baseline)

    def cosine(query: int, place: int) -> float:
        return float(vectors[query] @ vectors[place].astype(np.float16).astype(float))

    def others(query: int, place: int) -> float:
        return float(other[query] @ other[place].astype(np.float16).astype(float))

    def bits(query: int, place: int) -> float:
        differing = np.unpackbits((codes[query] ^ codes[place]).astype(np.uint8)).sum()
        return -float(differing)

    # The first stage passes all 12 on.
    expected = {"float": cosine, "code": bits, "two-stage": cosine}
    assert figures.recalls == {
        mode: {str(n): round(recalls(made, similar, n), 4) for n in (1, 5)}
        for mode, similar in expected.items()
    }
    assert figures.baseline == {str(n): round(recalls(made, others, n), 4) for n in (1, 5)}
    shares = [len(right) / 12 for right in made.positives if len(right)]
    assert figures.chance == round(math.fsum(shares) / len(shares), 4)
    assert (figures.database, figures.queries, figures.answerable) == (12, 9, len(shares))


def test_an_image_that_cannot_be_read_counts_as_failed(tmp_path: Path) -> None:
    made, vectors, codes = random_set(tmp_path, 0)
    made.queries[0].write_bytes(b"no picture")
    everywhere = [np.arange(12)] * 9
    made = EvaluationSet(**{**made.__dict__, "positives": everywhere})
    figures = measure(cast(Describer, FakeDescriber(vectors, codes)), made, tmp_path / "w", None)
    assert figures.unreadable == 1
    assert figures.recalls["two-stage"]["1"] == round(8 / 9, 4)
    assert figures.baseline is None


def test_figures_without_a_baseline_do_not_speak_of_one() -> None:
    figures = Figures("10 m", 2, 1, 1, 0.5, {"float": {"1": 1.0}})
    assert "baseline" not in figures.to_json()
    figures.baseline = {"1": 0.5}
    assert figures.to_json()["baseline"] == {"1": 0.5}
