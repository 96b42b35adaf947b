from __future__ import annotations

import torch

from selavpr_core.model import frozen as frozen_module
from selavpr_core.model import preset_settings
from selavpr_core.model.frozen import frozen_block

from ..lively import images, lively_model


def test_a_frozen_block_computes_what_the_block_does() -> None:
    block = lively_model(preset_settings("tiny", branches=("float",))).backbone.blocks[2]
    tokens = torch.randn(3, 17, 384)
    with torch.no_grad():
        torch.testing.assert_close(frozen_block(block, tokens), block(tokens), rtol=1e-4, atol=1e-5)


def test_images_are_computed_in_chunks(monkeypatch) -> None:
    block = lively_model(preset_settings("tiny", branches=("float",))).backbone.blocks[2]
    tokens = torch.randn(5, 17, 384)
    whole = frozen_block(block, tokens)
    monkeypatch.setattr(frozen_module, "_CHUNK", 2)
    torch.testing.assert_close(frozen_block(block, tokens), whole)


def test_under_autocast_the_backbone_is_the_one_of_inference() -> None:
    """Half precision throughout, and as close to float32 as that allows."""
    backbone = lively_model(preset_settings("tiny", branches=("float",))).backbone
    exact = list(backbone.stages(images(2, 56, 70)))
    with torch.autocast("cpu", torch.bfloat16):
        stages = list(backbone.stages(images(2, 56, 70)))
    for block, (half, full) in enumerate(zip(stages, exact, strict=True)):
        assert block == 0 or half.dtype == torch.bfloat16
        assert not half.requires_grad
        assert (half.float() - full).norm() < 0.02 * full.norm()


def test_tuned_blocks_keep_their_gradients_under_autocast() -> None:
    backbone = lively_model(preset_settings("tiny", branches=("float",))).backbone
    backbone.blocks[2].requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        stages = list(backbone.stages(images(2, 56, 70)))
    assert [tokens.requires_grad for tokens in stages] == [False] * 3 + [True]
