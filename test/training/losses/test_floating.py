from __future__ import annotations

import pytest
import torch

from test.training.losses import oracle
from training.losses import float_loss

LABELS = [0, 0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_multi_similarity_over_the_mined_pairs(dtype: torch.dtype) -> None:
    vectors = oracle.unit_vectors(LABELS, 16, 5, dtype)
    terms = float_loss()(vectors, torch.tensor(LABELS))
    positives, negatives = oracle.mined(vectors.tolist(), LABELS)
    expected = oracle.multi_similarity(vectors.tolist(), positives, negatives)
    assert terms.total.item() == pytest.approx(expected, rel=1e-5)
    assert {name: value.item() for name, value in terms.parts.items()} == {
        "multi_similarity": terms.total.item(),
        "positive_pairs": len(positives),
        "negative_pairs": len(negatives),
    }
    assert not any(value.requires_grad for value in terms.parts.values())


def test_the_gradient_is_that_of_small_differences() -> None:
    vectors = oracle.unit_vectors(LABELS, 6, 5, torch.float64)
    labels = torch.tensor(LABELS)
    assert torch.autograd.gradcheck(lambda x: float_loss()(x, labels).total, vectors)
