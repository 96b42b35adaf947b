from __future__ import annotations

import torch

from selavpr_core.model.adapters import VanillaAdapter


def test_it_is_a_bottleneck_over_each_token() -> None:
    adapter = VanillaAdapter(8)
    torch.nn.init.normal_(adapter.mlp.up.weight)
    tokens = torch.randn(2, 7, 8)
    for image, expected in zip(tokens, adapter(tokens, (2, 3)), strict=True):
        for token, result in zip(image, expected, strict=True):
            hidden = torch.relu(adapter.mlp.down.weight @ token + adapter.mlp.down.bias)
            torch.testing.assert_close(adapter.mlp.up.weight @ hidden, result)


def test_it_is_zero_before_training_and_half_as_wide() -> None:
    adapter = VanillaAdapter(768)
    assert not adapter(torch.randn(1, 4, 768), (2, 2)).any()
    assert sum(p.numel() for p in adapter.parameters()) == 2 * 768 * 384 + 768 + 384
