from __future__ import annotations

import math

import pytest
import torch

from selavpr_core.model import PATCH_SIZE, preset_settings
from selavpr_core.model.backbone import Backbone

from ..lively import images, lively_model


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    backbone = lively_model().backbone
    torch.nn.init.normal_(
        backbone.pos_embed, generator=torch.Generator().manual_seed(3)
    )  # so that neighbouring positions differ
    backbone.load_state_dict(backbone.state_dict())
    return backbone


def resampled_by_loops(grid: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bicubic (a = -0.75) resampling of [n, n, D] whose step is native / (size + 0.1)."""
    native = grid.shape[0]

    def weight(distance: float) -> float:
        a, d = -0.75, abs(distance)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0

    def taps(position: int, size: int) -> list[tuple[int, float]]:
        centre = (position + 0.5) * native / (size + 0.1) - 0.5
        first = math.floor(centre) - 1
        near = range(first, first + 4)
        return [(min(max(i, 0), native - 1), weight(centre - i)) for i in near]

    rows = [
        [
            sum(v * u * grid[i, j] for i, v in taps(y, height) for j, u in taps(x, width))
            for x in range(width)
        ]
        for y in range(height)
    ]
    return torch.stack([torch.stack(row) for row in rows])


@pytest.mark.parametrize("size", [(5, 5), (23, 23), (7, 18)])
def test_positions_are_resampled_bicubically_with_the_offset(
    backbone: Backbone, size: tuple[int, int]
) -> None:
    positions = backbone.position_embedding(*size)
    assert positions.shape == (1, 1 + size[0] * size[1], 384)
    assert torch.equal(positions[:, 0], backbone.pos_embed[:, 0])
    grid = backbone.pos_embed[0, 1:, :3].unflatten(0, (16, 16)).double()
    expected = resampled_by_loops(grid, *size).flatten(0, 1)
    torch.testing.assert_close(positions[0, 1:, :3].double(), expected, rtol=0, atol=1e-4)


def test_positions_of_the_native_grid_are_the_pretrained_ones(backbone: Backbone) -> None:
    assert torch.equal(backbone.position_embedding(16, 16), backbone.pos_embed)


def test_new_weights_bring_new_positions(backbone: Backbone) -> None:
    before = backbone.position_embedding(9, 9)
    assert backbone.position_embedding(9, 9) is before
    state = backbone.state_dict()
    other = {**state, "pos_embed": state["pos_embed"] + 1.0}
    backbone.load_state_dict(other)
    changed = backbone.position_embedding(9, 9)
    backbone.load_state_dict({**other, "pos_embed": other["pos_embed"] - 1.0})
    torch.testing.assert_close(changed, before + 1.0)


def test_many_image_sizes_do_not_fill_the_memory(backbone: Backbone) -> None:
    for height in range(1, 60):
        backbone.position_embedding(height, 2)
    assert len(backbone._resampled) <= 16


def test_stages_are_the_embedded_tokens_and_every_block(backbone: Backbone) -> None:
    stages = list(backbone.stages(images(2, 28, 56)))
    assert [tuple(tokens.shape) for tokens in stages] == [(2, 1 + 2 * 4, 384)] * 4
    for number, block in enumerate(backbone.blocks, start=1):
        assert torch.equal(stages[number], block(stages[number - 1]))


def test_patches_are_in_row_major_order(backbone: Backbone) -> None:
    batch = images(1, 28, 56)
    changed = batch.clone()
    changed[:, :, PATCH_SIZE:, 3 * PATCH_SIZE :] += 1.0  # second row, fourth column
    before, after = (next(iter(backbone.stages(x)))[0, 1:] for x in (batch, changed))
    differing = (before != after).any(dim=1).nonzero().flatten().tolist()
    assert differing == [1 * 4 + 3]


def test_patches_that_are_kept_have_the_positions_of_the_whole_image(backbone: Backbone) -> None:
    batch, kept = images(2, 28, 56), torch.tensor([[1, 2, 6], [0, 3, 7]])
    whole, some = (next(iter(backbone.stages(batch, patches))) for patches in (None, kept))
    assert torch.equal(some[:, 0], whole[:, 0])
    assert torch.equal(some[0, 1:], whole[0, [2, 3, 7]])
    assert torch.equal(some[1, 1:], whole[1, [1, 4, 8]])
    stages = list(backbone.stages(batch, kept))
    for number, block in enumerate(backbone.blocks, start=1):
        assert torch.equal(stages[number], block(stages[number - 1]))


@pytest.mark.parametrize("size", [(224, 220), (10, 14)])
def test_sizes_that_are_no_multiples_of_a_patch_are_refused(
    backbone: Backbone, size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]}"):
        next(iter(backbone.stages(images(1, *size))))


def test_it_is_frozen() -> None:
    backbone = Backbone(preset_settings("tiny"))
    backbone.train()
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    batch = images(1, 28, 28).requires_grad_()
    assert not any(tokens.requires_grad for tokens in backbone.stages(batch))


def test_gradients_pass_through_the_final_norm() -> None:
    backbone = Backbone(preset_settings("tiny"))
    tokens = torch.randn(1, 4, 384, requires_grad=True)
    backbone.norm(tokens).square().sum().backward()
    assert tokens.grad is not None
    assert backbone.norm.weight.grad is None
