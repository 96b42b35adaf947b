"""The multi-similarity loss (Eq. 16)."""

from __future__ import annotations

from pytorch_metric_learning.losses import MultiSimilarityLoss
from torch import Tensor

from training.losses.pairs import Pairs

_LOSS = MultiSimilarityLoss(alpha=1, beta=50, base=0.0)


def multi_similarity(vectors: Tensor, labels: Tensor, pairs: Pairs) -> Tensor:
    """Return the multi-similarity loss over some pairs, a float32 scalar (Eq. 16).

    vectors: [B, D] float32, compared by their cosine. labels: [B] int64.
    The mean is over all B anchors: one without a pair counts as zero.
    """
    loss: Tensor = _LOSS(vectors, labels, (*pairs.positives, *pairs.negatives))
    return loss
