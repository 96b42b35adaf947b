"""SALAD: features are assigned to clusters by optimal transport, some of them to none."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from selavpr_core.model.heads.head import Head
from selavpr_core.model.settings import SALAD_CLUSTER_DIM, SALAD_CLUSTERS, SALAD_TOKEN_DIM
from selavpr_core.model.tokens import split_tokens

_HIDDEN = 512
_DROPOUT = 0.3
_ITERATIONS = 3


def transport(scores: Tensor, dustbin: Tensor, iterations: int = _ITERATIONS) -> Tensor:
    """Return how much of each of N features goes to each of M clusters, M < N.

    scores: [B, M, N] float32; dustbin: the score of belonging to none, one number. Sinkhorn's
    algorithm in log space: each feature has mass 1, each cluster takes mass 1, the dustbin the
    rest. Returns [B, M, N], the dustbin left out.
    """
    clusters, features = scores.shape[1:]
    scores = torch.cat([scores, dustbin.expand(len(scores), 1, features)], dim=1)
    takes = scores.new_zeros(clusters + 1)
    takes[-1] = math.log(features - clusters)
    columns = scores.new_zeros(len(scores), 1, features)
    for _ in range(iterations):
        rows = takes[:, None] - torch.logsumexp(scores + columns, dim=2, keepdim=True)
        columns = -torch.logsumexp(scores + rows, dim=1, keepdim=True)
    return (scores + rows + columns)[:, :-1].exp()


class SaladHead(Head):
    """64 clusters of 128 values and 256 values from the class token; their L2, then L2 of all.

    The transport, the sums over patches and the norms are computed in float32.
    """

    reads_class_token = True

    def __init__(self, embed_dim: int, outputs: int) -> None:
        super().__init__(embed_dim, outputs)
        self.token = nn.Sequential(
            nn.Linear(embed_dim, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, SALAD_TOKEN_DIM)
        )
        self.features = _mlp(embed_dim, SALAD_CLUSTER_DIM)
        self.scores = _mlp(embed_dim, SALAD_CLUSTERS)
        self.dustbin = nn.Parameter(torch.tensor(1.0))

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """tokens: [B, 1 + h * w, D]; returns [B, 8448] float32 of length 1.

        Raises ValueError for a grid of no more patches than there are clusters.
        """
        class_token, patches = split_tokens(tokens, grid)
        if patches.shape[1] <= SALAD_CLUSTERS:
            raise ValueError(
                f"head 'salad' needs more than {SALAD_CLUSTERS} patches, not {grid[0]} x {grid[1]}"
            )
        features = self.features(patches).float()
        scores = self.scores(patches).float().transpose(1, 2)
        token = self.token(class_token[:, 0]).float()
        with torch.autocast(tokens.device.type, enabled=False):
            sums = torch.bmm(transport(scores, self.dustbin), features)
            clusters = functional.normalize(sums, dim=2).transpose(1, 2).flatten(1)
            parts = [functional.normalize(token, dim=1), clusters]
            return functional.normalize(torch.cat(parts, dim=1), dim=1)


def _mlp(embed_dim: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(embed_dim, _HIDDEN),
        nn.Dropout(_DROPOUT),
        nn.ReLU(),
        nn.Linear(_HIDDEN, outputs),
    )
