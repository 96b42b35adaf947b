from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from test.training.losses import oracle
from training.losses.pairs import Pairs, mine

PLACES = st.lists(st.integers(0, 4), min_size=2, max_size=12)


def as_lists(pairs: Pairs) -> tuple[list[oracle.Pair], list[oracle.Pair]]:
    positives, negatives = (
        sorted(zip(anchors.tolist(), others.tolist(), strict=True)) for anchors, others in pairs
    )
    return positives, negatives


@settings(max_examples=60, deadline=None)
@given(labels=PLACES, seed=st.integers(0, 1000))
def test_the_mined_pairs_are_those_of_the_rule(labels: list[int], seed: int) -> None:
    vectors = oracle.unit_vectors(labels, 16, seed, torch.float64)
    expected = oracle.mined(vectors.tolist(), labels)
    if not any(labels.count(label) > 1 for label in labels) or len(set(labels)) == 1:
        expected = [], []  # without pairs of both kinds there is nothing to compare
    assert as_lists(mine(vectors, torch.tensor(labels))) == expected


def test_the_miner_leaves_easy_pairs_out() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    easy = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert [len(anchors) for anchors, _ in mine(easy, labels)] == [0, 0]
    hard = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert [len(anchors) for anchors, _ in mine(hard, labels)] == [4, 8]


def test_pairs_are_counted_and_joined() -> None:
    pairs = Pairs(
        (torch.tensor([0, 1]), torch.tensor([1, 0])), (torch.tensor([2]), torch.tensor([0]))
    )
    assert pairs.counts() == {"positive_pairs": 2.0, "negative_pairs": 1.0}
    anchors, others = pairs.joined()
    assert (anchors.tolist(), others.tolist()) == ([0, 1, 2], [1, 0, 0])
