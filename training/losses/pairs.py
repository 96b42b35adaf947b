"""Which pairs of a batch a loss looks at."""

from __future__ import annotations

from typing import NamedTuple

import torch
from pytorch_metric_learning.miners import MultiSimilarityMiner
from torch import Tensor


class Pairs(NamedTuple):
    """Ordered pairs of a batch, by the numbers of their images.

    positives: (anchors [n], others [n]) int64, of one place.
    negatives: (anchors [m], others [m]) int64, of two places.
    """

    positives: tuple[Tensor, Tensor]
    negatives: tuple[Tensor, Tensor]

    def counts(self) -> dict[str, Tensor]:
        """Return how many pairs there are, as float32 scalars by the names to log them with."""
        positives, negatives = self.positives[0], self.negatives[0]
        return {
            "positive_pairs": torch.tensor(float(len(positives))),
            "negative_pairs": torch.tensor(float(len(negatives))),
        }

    def joined(self) -> tuple[Tensor, Tensor]:
        """Return all pairs, (anchors [n + m], others [n + m]) int64."""
        anchors, others = zip(self.positives, self.negatives, strict=True)
        return torch.cat(anchors), torch.cat(others)


_MINER = MultiSimilarityMiner(epsilon=0.1)


def mine(vectors: Tensor, labels: Tensor) -> Pairs:
    """Return the pairs that are hard enough to learn from: the multi-similarity miner's.

    A positive pair stays if its similarity less 0.1 is below that of the anchor's most similar
    negative; a negative pair if its similarity plus 0.1 is above the least similar positive's.

    vectors: [B, D] float32, compared by their cosine. labels: [B] int64.
    """
    anchors, positives, negative_anchors, negatives = _MINER(vectors.detach(), labels)
    return Pairs((anchors, positives), (negative_anchors, negatives))
