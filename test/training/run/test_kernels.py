from __future__ import annotations

import torch

from training.run.config import ModelConfig
from training.run.kernels import attend_plainly
from training.run.network import starting_network


def test_attention_multiplied_out_describes_images_as_the_fused_kernel_does() -> None:
    config = ModelConfig(
        preset="tiny", strategy="full", backbone="random", layer_scale=1.0, input_size=(56, 42)
    )
    fused, plain = (starting_network(config, seed=0).eval() for _ in range(2))
    attend_plainly(plain)
    assert fused.backbone.blocks[0].attn.fused_attn
    assert not plain.backbone.blocks[0].attn.fused_attn
    images = torch.randn(4, 3, 56, 42, generator=torch.Generator().manual_seed(0))
    outputs = [network(images, ("float",)).descriptor for network in (fused, plain)]
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-6)
    outputs[0].sum().backward()
    outputs[1].sum().backward()
    of_fused, of_plain = (
        torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        for network in (fused, plain)
    )
    assert (of_fused - of_plain).norm() < 1e-4 * of_fused.norm()
