from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from selavpr_core.model.heads import BoqHead
from selavpr_core.model.heads.boq import Bag


def attention_by_loops(layer: nn.MultiheadAttention, queries: Tensor, tokens: Tensor) -> Tensor:
    """Attention of one image, head by head and query by query."""
    weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    inputs = (queries, tokens, tokens)
    q, k, v = (x @ w.T + b for x, w, b in zip(inputs, weights, biases, strict=True))
    rows = []
    for query in q:
        parts = []
        for head in range(layer.num_heads):
            own = slice(64 * head, 64 * head + 64)
            shares = torch.softmax(k[:, own] @ query[own] / 8, dim=0)
            parts.append(sum(s * value for s, value in zip(shares, v[:, own], strict=True)))
        rows.append(torch.cat(parts))
    return torch.stack(rows) @ layer.out_proj.weight.T + layer.out_proj.bias


def test_queries_attend_to_each_other_and_then_to_the_tokens() -> None:
    bag = Bag().eval()
    tokens = torch.randn(2, 5, 384)
    with torch.no_grad():
        encoded, answers = bag(tokens)
        queries = bag.queries[0]
        queries = bag.query_norm(
            queries + attention_by_loops(bag.query_attention, queries, queries)
        )
        for image, result in zip(encoded, answers, strict=True):
            expected = bag.norm(attention_by_loops(bag.attention, queries, image))
            torch.testing.assert_close(expected, result, rtol=1e-3, atol=1e-4)


def test_the_answers_of_both_bags_are_mixed() -> None:
    head = BoqHead(16, 12288).eval()
    tokens = torch.randn(2, 3 * 4, 16)
    with torch.no_grad():
        result = head(tokens, (3, 4))
        features = head.conv(tokens.transpose(1, 2).reshape(2, 16, 3, 4))
        state = head.norm(features.flatten(2).transpose(1, 2))
        state, first = head.bags[0](state)
        _, second = head.bags[1](state)
        for image in range(2):
            answers = torch.cat([first[image], second[image]])  # [128, 384]
            mixed = (head.mix.weight @ answers + head.mix.bias[:, None]).T.flatten()
            torch.testing.assert_close(mixed / mixed.norm(), result[image], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("embed_dim", "parameters"), [(768, 8_626_080), (1024, 9_510_816)])
def test_it_is_as_large_as_the_published_one(embed_dim: int, parameters: int) -> None:
    """As counted in the published implementation, for its widths."""
    with torch.device("meta"):
        head = BoqHead(embed_dim, 12288)
    assert sum(p.numel() for p in head.parameters()) == parameters
