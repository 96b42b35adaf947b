from __future__ import annotations

import pytest
import torch

from test.training.losses import oracle
from training.losses.multi_similarity import multi_similarity
from training.losses.pairs import Pairs


def as_pairs(positives: list[oracle.Pair], negatives: list[oracle.Pair]) -> Pairs:
    def split(pairs: list[oracle.Pair]) -> tuple[torch.Tensor, torch.Tensor]:
        anchors, others = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
        return anchors, others

    return Pairs(split(positives), split(negatives))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("positives", "negatives"),
    [
        ([(0, 1), (1, 0), (2, 3)], [(0, 2), (0, 3), (3, 1), (4, 0)]),
        ([(0, 1), (1, 0)], []),
        ([], [(0, 2), (4, 1), (4, 2)]),
    ],
)
def test_it_is_the_mean_over_all_anchors_also_those_without_a_pair(
    dtype: torch.dtype, positives: list[oracle.Pair], negatives: list[oracle.Pair]
) -> None:
    labels = [0, 0, 1, 1, 2]
    vectors = oracle.unit_vectors(labels, 16, 1, dtype)
    loss = multi_similarity(vectors, torch.tensor(labels), as_pairs(positives, negatives))
    expected = oracle.multi_similarity(vectors.tolist(), positives, negatives)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(expected, rel=1e-5 if dtype == torch.float32 else 1e-12)


def test_one_pair_of_each_kind_counts_as_none_as_in_the_published_training() -> None:
    vectors = oracle.unit_vectors([0, 0, 1], 16, 1, torch.float64)
    loss = multi_similarity(vectors, torch.tensor([0, 0, 1]), as_pairs([(0, 1)], [(0, 2)]))
    assert loss.item() == 0
