"""A frozen block in half precision, as inference runs it, from float32 weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# So many images at once keep a GPU busy; more would only hold more memory for a moment.
_CHUNK = 128


def frozen_block(block: nn.Module, tokens: Tensor) -> Tensor:
    """Return a block's output, computed throughout in the dtype of its input, without gradient.

    block: timm's. tokens: [B, N, D], half precision. Autocast would normalise and add in float32,
    and read and write twice as much. Weights are converted on the way, the layer scales multiplied
    in.
    """
    output = torch.empty_like(tokens)
    with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
        weights = _converted(block, tokens.dtype)
        for start in range(0, len(tokens), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            _run(weights, block, tokens[chunk], output[chunk])
    return output


def _run(weights: dict[str, tuple[Tensor, Tensor]], block: Any, x: Tensor, out: Tensor) -> None:
    def norm(name: str, layer: Any, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], *weights[name], eps=layer.eps)

    qkv = functional.linear(norm("norm1", block.norm1, x), *weights["qkv"])
    query, key, value = qkv.unflatten(2, (3, block.attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
    attended = functional.scaled_dot_product_attention(query, key, value)
    x = x + functional.linear(attended.transpose(1, 2).flatten(2), *weights["proj"])
    hidden = functional.gelu(functional.linear(norm("norm2", block.norm2, x), *weights["fc1"]))
    torch.add(x, functional.linear(hidden, *weights["fc2"]), out=out)


def _converted(block: Any, dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    """Return weight and bias of each layer in a dtype."""

    def pair(layer: Any, scale: Any = None) -> tuple[Tensor, Tensor]:
        weight, bias = layer.weight, layer.bias
        if scale is not None:
            weight, bias = weight * scale[:, None], bias * scale
        return weight.to(dtype), bias.to(dtype)

    return {
        "norm1": pair(block.norm1),
        "qkv": pair(block.attn.qkv),
        "proj": pair(block.attn.proj, block.ls1.gamma),
        "norm2": pair(block.norm2),
        "fc1": pair(block.mlp.fc1),
        "fc2": pair(block.mlp.fc2, block.ls2.gamma),
    }
