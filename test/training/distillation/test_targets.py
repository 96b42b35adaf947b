from __future__ import annotations

import pytest
import torch

from training.distillation import HalfWhitening


def rows(count: int = 400, channels: int = 6) -> torch.Tensor:
    """Correlated features of very different strength, all positive."""
    generator = torch.Generator().manual_seed(0)
    strengths = torch.logspace(0, -1.5, channels)
    mixing = torch.linalg.qr(torch.randn(channels, channels, generator=generator))[0]
    return 5 + torch.randn(count, channels, generator=generator) * strengths @ mixing


def test_deviations_along_principal_directions_become_their_roots() -> None:
    features = rows()
    whitening = HalfWhitening(6)
    whitening.fit(features)
    centred = (features - features.mean(dim=0)).double()
    _, lengths, directions = torch.linalg.svd(centred, full_matrices=False)
    deviations = lengths / len(features) ** 0.5
    whitened = (features - whitening.mean).double() @ whitening.matrix.double()
    for direction, deviation in zip(directions, deviations, strict=True):
        along = (whitened @ direction).square().mean().sqrt()
        assert along.item() == pytest.approx(deviation.item() ** 0.5, rel=1e-3)


def test_targets_have_length_one_whatever_their_shape() -> None:
    features = rows()
    whitening = HalfWhitening(6)
    whitening.fit(features)
    targets = whitening(features.view(20, 20, 6))
    assert targets.shape == (20, 20, 6)
    assert torch.allclose(targets.norm(dim=2), torch.ones(20, 20), atol=1e-5)
    direction = (features[7] - whitening.mean) @ whitening.matrix
    assert torch.allclose(targets[0, 7], direction / direction.norm(), atol=1e-5)


def test_directions_that_were_not_seen_are_left_out() -> None:
    few = torch.cat([rows(3, 6), torch.full((3, 2), 7.0)], dim=1)  # of eight channels, two alike
    whitening = HalfWhitening(8)
    whitening.fit(few)
    assert torch.linalg.matrix_rank(whitening.matrix, atol=1e-4) == 2  # three rows less their mean
    assert torch.isfinite(whitening(few)).all()


def test_a_whitening_goes_on_where_it_was_saved() -> None:
    first, second = HalfWhitening(6), HalfWhitening(6)
    first.fit(rows())
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(rows(5)), second(rows(5)))
