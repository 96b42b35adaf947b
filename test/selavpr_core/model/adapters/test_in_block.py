from __future__ import annotations

import torch

from selavpr_core.model import SelaVPR, preset_settings

from ...lively import images, lively_model


def test_before_training_the_block_does_what_it_did() -> None:
    model = SelaVPR(preset_settings("tiny", adapter="in-block"))
    tokens = torch.randn(2, 5, 384)
    block = model.backbone.blocks[1]
    torch.testing.assert_close(model.backbone.adapters["2"](tokens, block), block(tokens))


def test_one_adapter_follows_the_attention_and_one_stands_beside_the_mlp() -> None:
    model = lively_model(preset_settings("tiny", adapter="in-block"))
    block, adapters = model.backbone.blocks[0], model.backbone.adapters["1"]
    x = torch.randn(1, 5, 384)
    with torch.no_grad():
        attended = block.attn(block.norm1(x))
        hidden = torch.relu(attended @ adapters.serial.down.weight.T + adapters.serial.down.bias)
        serial = hidden @ adapters.serial.up.weight.T + adapters.serial.up.bias
        middle = x + block.ls1.gamma * (attended + serial)
        normed = block.norm2(middle)
        hidden = torch.relu(normed @ adapters.parallel.down.weight.T + adapters.parallel.down.bias)
        parallel = hidden @ adapters.parallel.up.weight.T + adapters.parallel.up.bias
        expected = middle + block.ls2.gamma * (block.mlp(normed) + 0.2 * parallel)
        torch.testing.assert_close(adapters(x, block), expected, rtol=1e-4, atol=1e-5)


def test_both_branches_read_the_adapted_backbone() -> None:
    model = lively_model(preset_settings("tiny", adapter="in-block", adapters="last:2"))
    assert list(model.backbone.adapters) == ["2", "3"]
    with torch.no_grad():
        before = model(images(1, 56, 56))
        model.backbone.adapters["2"].serial.up.weight.add_(0.1)
        after = model(images(1, 56, 56))
    assert not torch.allclose(before.descriptor, after.descriptor, atol=1e-4)
    assert not torch.allclose(before.hash, after.hash, atol=1e-4)


def test_a_base_model_has_two_adapters_of_half_the_width_in_every_block() -> None:
    with torch.device("meta"):
        model = SelaVPR(preset_settings("large", adapter="in-block"))
    per_adapter = 2 * 1024 * 512 + 1024 + 512
    assert sum(p.numel() for p in model.backbone.adapters.parameters()) == 24 * 2 * per_adapter
