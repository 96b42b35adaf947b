from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from selavpr_core.model.heads import SaladHead
from selavpr_core.model.heads.salad import transport


def transport_by_loops(scores: Tensor, dustbin: float, iterations: int) -> Tensor:
    """Sinkhorn's algorithm on the masses themselves, in float64, for one image."""
    clusters, features = scores.shape
    bins = torch.full((1, features), dustbin, dtype=torch.float64)
    mass = torch.cat([scores.double(), bins]).exp()
    takes = [1.0] * clusters + [float(features - clusters)]
    gives = torch.ones(features, dtype=torch.float64)
    for _ in range(iterations):
        rows = [takes[i] / (mass[i] * gives).sum() for i in range(clusters + 1)]
        gives = torch.stack(
            [1 / sum(rows[i] * mass[i, j] for i in range(clusters + 1)) for j in range(features)]
        )
    return torch.stack([rows[i] * mass[i] * gives for i in range(clusters)])


@pytest.mark.parametrize("iterations", [1, 3, 20])
def test_transport_is_sinkhorns(iterations: int) -> None:
    scores = 3 * torch.randn(2, 4, 11, generator=torch.Generator().manual_seed(0))
    shares = transport(scores, torch.tensor(0.7), iterations)
    for image, expected in zip(scores, shares, strict=True):
        by_loops = transport_by_loops(image, 0.7, iterations)
        torch.testing.assert_close(by_loops, expected.double(), rtol=1e-4, atol=1e-6)


def test_transport_conserves_mass() -> None:
    shares = transport(torch.randn(2, 4, 11), torch.tensor(1.0), 50)
    torch.testing.assert_close(shares.sum(2), torch.ones(2, 4), rtol=1e-3, atol=1e-3)
    assert (shares.sum(1) <= 1 + 1e-5).all()  # the rest is in the dustbin


def test_transport_of_extreme_scores_is_finite() -> None:
    scores = torch.tensor([[[1e3, -1e3, 0.0], [-1e3, -1e3, -1e3]]], requires_grad=True)
    shares = transport(scores, torch.tensor(1.0))
    shares.square().sum().backward()
    assert torch.isfinite(shares).all()
    assert torch.isfinite(scores.grad).all()


def test_the_descriptor_is_made_of_the_class_token_and_of_clusters() -> None:
    head = SaladHead(16, 8448).eval()
    tokens = torch.randn(2, 1 + 9 * 8, 16)
    with torch.no_grad():
        result = head(tokens, (9, 8))
        for image, vector in zip(tokens, result, strict=True):
            shares = transport(head.scores(image[1:]).T[None], head.dustbin)[0]
            features = head.features(image[1:])
            sums = torch.zeros(64, 128)
            for patch, feature in enumerate(features):
                sums += shares[:, patch, None] * feature
            parts = [normalize(head.token(image[0]), dim=0), normalize(sums, dim=1).T.flatten()]
            torch.testing.assert_close(
                torch.cat(parts) / math.sqrt(65), vector, rtol=1e-3, atol=1e-5
            )


@pytest.mark.parametrize(("embed_dim", "parameters"), [(768, 1_411_009), (1024, 1_804_225)])
def test_it_is_as_large_as_the_published_one(embed_dim: int, parameters: int) -> None:
    """As counted in the published implementation, for its widths."""
    head = SaladHead(embed_dim, 8448)
    assert sum(p.numel() for p in head.parameters()) == parameters


def test_too_few_patches_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 64 patches, not 8 x 8"):
        SaladHead(16, 8448)(torch.randn(1, 65, 16), (8, 8))
