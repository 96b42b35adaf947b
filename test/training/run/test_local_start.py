from __future__ import annotations

import pytest
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR
from training.errors import ConfigError
from training.run.config import ModelConfig
from training.run.network import starting_network

RANDOM = {"preset": "tiny", "strategy": "full", "backbone": "random", "layer_scale": 1.0}
OFFSETS = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)]


def network(**values: object) -> SelaVPR:
    return starting_network(ModelConfig(**RANDOM, **values), seed=0).eval()  # type: ignore[arg-type]


def attentions(model: SelaVPR) -> list[Tensor]:
    """What each block's heads look at in an embedded image, [heads, 1 + N, 1 + N] a block."""
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    found = []
    with torch.no_grad():
        tokens = next(model.backbone.stages(images))
        for block in model.backbone.blocks:
            normed = block.norm1(tokens)  # type: ignore[operator, union-attr]
            attention = block.attn
            projected = attention.qkv(normed)  # type: ignore[operator, union-attr]
            heads: int = attention.num_heads  # type: ignore[assignment, union-attr]
            queries, keys, _ = projected.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
            scores = queries[0] @ keys[0].transpose(1, 2) / queries.shape[-1] ** 0.5
            found.append(scores.softmax(dim=2))
    return found


def share_at(head: Tensor, right: int, down: int) -> float:
    """How much of its attention a patch gives to the one at an offset; the mean of inner ones."""
    there = [
        head[1 + 16 * row + column, 1 + 16 * (row + down) + column + right].item()
        for row in range(2, 14)
        for column in range(2, 14)
    ]
    return sum(there) / len(there)


def test_each_head_looks_at_one_neighbour() -> None:
    blocks = attentions(network(local_start=True))
    for number, head in enumerate(head for block in blocks for head in block):
        around = [(right, down) for right in range(-2, 3) for down in range(-2, 3)]
        shares = {offset: share_at(head, *offset) for offset in around}
        best = max(shares, key=shares.__getitem__)
        assert best == OFFSETS[number % 9], number
        assert shares[best] > 0.5


def test_without_it_heads_look_everywhere() -> None:
    for block in attentions(network()):
        assert block.max() < 0.3


def test_what_a_patch_holds_and_where_it_is_are_apart() -> None:
    backbone = network(local_start=True).backbone
    of_position = backbone.pos_embed[0, 1:].abs().sum(dim=0) > 0
    of_content = backbone.patch_embed.proj.weight.flatten(1).abs().sum(dim=1) > 0
    assert of_position.sum() == 64
    assert not (of_position & of_content).any()
    assert (of_position | of_content).all()


def test_the_rest_is_as_random_as_before() -> None:
    before, after = network().state_dict(), network(local_start=True).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    parts = {".".join(name.split(".")[-2:]) for name in changed if ".blocks." in name}
    assert parts <= {"qkv.weight", "qkv.bias", "proj.weight"}
    others = {name for name in changed if ".blocks." not in name}
    assert others == {"backbone.pos_embed", "backbone.patch_embed.proj.weight"} | (
        others & {"backbone.patch_embed.proj.bias"}
    )


@pytest.mark.parametrize("values", [{"backbone": "file.safetensors"}, {"init": "tiny"}])
def test_trained_weights_are_left_as_they_are(values: dict[str, str]) -> None:
    config = ModelConfig(**{**RANDOM, "layer_scale": None, "local_start": True, **values})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"model\.local_start is for random weights"):
        starting_network(config, seed=0)
