"""The multi-similarity loss (Eq. 16)."""

from __future__ import annotations

from pytorch_metric_learning.losses import MultiSimilarityLoss
from torch import Tensor

from training.losses.pairs import Pairs

_LOSS = MultiSimilarityLoss(alpha=1, beta=50, base=0.0)


def multi_similarity(vectors: Tensor, labels: Tensor, pairs: Pairs) -> Tensor:
    """Return the multi-similarity loss over some pairs, a scalar (Eq. 16).

    The mean over all B anchors, where one without a pair counts as zero. With no pair at all it is
    zero with a gradient of zeros; the library, and so the published training, says the same of a
    batch with one positive and one negative pair at most.

    A vector that is not finite makes the loss not a number.

    vectors: [B, D] float32, compared by their cosine. labels: [B] int64.
    """
    loss: Tensor = _LOSS(vectors, labels, (*pairs.positives, *pairs.negatives))
    # No comparison with NaN holds, so that the miner drops its pairs: a diverged network would pass
    # for an easy batch.
    return loss + (vectors * 0.0).sum()
