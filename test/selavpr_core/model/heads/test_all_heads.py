"""What holds for every head."""

from __future__ import annotations

import pytest
import torch

from selavpr_core.model.heads import Head, head_named

HEADS = {"gem": 40, "salad": 8448, "boq": 12288}


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest) -> Head:
    return head_named(request.param, 32, HEADS[request.param]).eval()


def tokens_for(head: Head, images: int = 3) -> torch.Tensor:
    return torch.randn(images, 90 + head.reads_class_token, 32)


def test_vectors_have_length_one_and_do_not_depend_on_the_batch(head: Head) -> None:
    tokens = tokens_for(head)
    with torch.no_grad():
        vectors = head(tokens, (9, 10))
        alone = torch.cat([head(image[None], (9, 10)) for image in tokens])
    assert vectors.shape == (3, head.outputs)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(vectors, alone, rtol=1e-4, atol=1e-5)


def test_a_head_learns_in_half_precision_and_answers_in_float32(head: Head) -> None:
    head.train()
    with torch.autocast("cpu", torch.bfloat16):
        vectors = head(tokens_for(head), (9, 10))
    assert vectors.dtype == torch.float32
    vectors[:, 0].sum().backward()
    for parameter in head.parameters():
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.dtype == torch.float32
