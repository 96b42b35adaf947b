from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from test.training.losses import oracle
from test.training.losses.test_multi_similarity import as_pairs
from training.losses.codes import sign, straight_through_sign
from training.losses.constraints import locality_constrained, similarity_constrained
from training.losses.pairs import Pairs

LABELS = [0, 0, 1, 1, 2]
POSITIVES = [(0, 1), (1, 0), (2, 3)]
NEGATIVES = [(0, 2), (3, 1), (4, 0)]
Constraint = Callable[[Tensor, Tensor, Pairs, float], Tensor]
CONSTRAINTS = [
    (similarity_constrained, oracle.identity),
    (locality_constrained, oracle.sigmoid),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("constraint", "squash"), CONSTRAINTS)
def test_it_is_the_mean_over_the_pairs(
    constraint: Constraint, squash: Callable[[float], float], dtype: torch.dtype
) -> None:
    vectors = oracle.unit_vectors(LABELS, 24, 3, dtype)
    loss = constraint(vectors, sign(vectors), as_pairs(POSITIVES, NEGATIVES), 1.0)
    expected = oracle.constrained(vectors.tolist(), POSITIVES + NEGATIVES, squash)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, rel=1e-4 if dtype == torch.float32 else 1e-11)


@pytest.mark.parametrize(("constraint", "squash"), CONSTRAINTS)
def test_the_gradient_of_the_features_is_that_of_small_differences(
    constraint: Constraint, squash: Callable[[float], float]
) -> None:
    vectors = oracle.unit_vectors(LABELS, 6, 3, torch.float64)
    codes = sign(vectors)
    pairs = as_pairs(POSITIVES, NEGATIVES)
    assert torch.autograd.gradcheck(lambda x: constraint(x, codes, pairs, 1.0), vectors)


def test_the_gradient_goes_through_features_and_codes() -> None:
    vectors = oracle.unit_vectors(LABELS, 24, 3, torch.float64)
    pairs = as_pairs(POSITIVES, NEGATIVES)
    similarity_constrained(vectors, straight_through_sign(vectors), pairs, 1.0).backward()
    features, codes = vectors.detach(), sign(vectors)
    expected = torch.zeros_like(features)
    every = POSITIVES + NEGATIVES
    for i, j in every:
        difference = features[i] @ features[j] - codes[i] @ codes[j] / 24
        expected[i] += 2 * difference * (features[j] - codes[j] / 24) / len(every)
        expected[j] += 2 * difference * (features[i] - codes[i] / 24) / len(every)
    torch.testing.assert_close(vectors.grad, expected)


def test_a_fraction_takes_so_many_of_the_pairs() -> None:
    vectors = oracle.unit_vectors(LABELS, 24, 3, torch.float64)
    positives, negatives = [(0, 1), (2, 3)], [*NEGATIVES, (4, 3)]  # each pair in one order only
    possible = [
        oracle.constrained(vectors.tolist(), list(chosen), oracle.identity)
        for chosen in itertools.combinations(positives + negatives, 3)
    ]
    seen = set()
    for seed in range(30):
        torch.manual_seed(seed)
        loss = similarity_constrained(
            vectors, sign(vectors), as_pairs(positives, negatives), 0.5
        ).item()
        matches = [number for number, value in enumerate(possible) if abs(value - loss) < 1e-12]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 10  # of 20: it is drawn anew each time


def test_the_smallest_fraction_still_takes_a_pair() -> None:
    vectors = oracle.unit_vectors(LABELS, 24, 3, torch.float64)
    pairs = as_pairs([(0, 1)], [])
    loss = similarity_constrained(vectors, sign(vectors), pairs, 0.01)
    assert loss.item() == pytest.approx(
        oracle.constrained(vectors.tolist(), [(0, 1)], oracle.identity)
    )


def test_all_pairs_draw_nothing_from_the_generator() -> None:
    vectors = oracle.unit_vectors(LABELS, 24, 3, torch.float64)
    before = torch.get_rng_state()
    similarity_constrained(vectors, sign(vectors), as_pairs(POSITIVES, NEGATIVES), 1.0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("constraint", [similarity_constrained, locality_constrained])
@pytest.mark.parametrize("fraction", [0.2, 1.0])
def test_without_a_pair_it_is_zero_with_a_gradient_of_zeros(
    constraint: Constraint, fraction: float
) -> None:
    vectors = oracle.unit_vectors(LABELS, 24, 3, torch.float32)
    loss = constraint(vectors, straight_through_sign(vectors), as_pairs([], []), fraction)
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()
