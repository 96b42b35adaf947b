from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.model.selavpr import pack_bits
from selavpr_core.weights.state import skeleton

from ..lively import images, lively_model

FLOAT, HASH, BOTH = ("float",), ("hash",), ("float", "hash")


@pytest.fixture(scope="module")
def model() -> SelaVPR:
    return lively_model()


def count(parameters: Any) -> int:
    return sum(parameter.numel() for parameter in parameters)


@pytest.mark.parametrize(
    ("preset", "total", "trainable", "total_of_both", "hash_trainable"),
    [
        ("base", 97_899_201, 11_318_721, 108_036_738, 10_137_537),
        ("large", 331_295_745, 26_927_105, 354_549_250, 23_253_505),
    ],
)
def test_parameter_counts_are_the_published_ones(
    preset: str, total: int, trainable: int, total_of_both: int, hash_trainable: int
) -> None:
    """The totals hold DINOv2's mask token, one vector, which only its pretraining uses."""
    one = skeleton(preset_settings(preset, branches=FLOAT))
    mask_token = one.settings.embed_dim
    assert count(one.parameters()) + mask_token == total
    assert count(p for p in one.parameters() if p.requires_grad) == trainable
    # Published training of the hash branch freezes all the rest, the float branch too.
    both = skeleton(preset_settings(preset, branches=BOTH))
    assert count(both.parameters()) + mask_token == total_of_both
    assert count(both.hash_branch.parameters()) == hash_trainable
    assert all(parameter.requires_grad for parameter in both.hash_branch.parameters())


def refined_by_hand(model: SelaVPR, batch: Tensor, grid: tuple[int, int]) -> list[Tensor]:
    """The descriptors of Eq. 6, with all tokens at hand."""
    stages = [tokens[:, 1:] for tokens in model.backbone.stages(batch)]
    blocks = model.settings.adapted_blocks
    vectors = []
    for branch in (model.float_branch, model.hash_branch):
        state = stages[blocks[0] - 1]
        for block in blocks:
            state = state + branch.adapters[str(block)](state + stages[block], grid)
        vectors.append(branch.head(model.backbone.norm(state), grid))
    return vectors


@pytest.mark.parametrize("adapters", ["all", "last:1", "last:2", "every:2"])
def test_adapters_refine_the_blocks_they_are_placed_at(adapters: str) -> None:
    settings = preset_settings("tiny", adapters=adapters)
    model = lively_model(settings)
    batch = images(2, 56, 42)
    with torch.no_grad():
        output = model(batch)
        descriptor, hashed = refined_by_hand(model, batch, (4, 3))
    torch.testing.assert_close(output.descriptor, descriptor)
    torch.testing.assert_close(output.hash, hashed)


def test_each_adapter_and_the_backbone_s_last_block_matter(model: SelaVPR) -> None:
    batch = images(1, 56, 56)
    with torch.no_grad():
        before = model(batch).descriptor
        for part in (model.backbone.blocks[-1].mlp.fc2, model.float_branch.adapters["3"].down):
            original = part.weight.clone()
            part.weight += 0.1
            assert not torch.allclose(model(batch).descriptor, before, atol=1e-4)
            part.weight.copy_(original)


@pytest.mark.parametrize("branches", [FLOAT, HASH])
def test_a_branch_left_out_costs_nothing_and_changes_nothing(
    model: SelaVPR, branches: tuple[str, ...]
) -> None:
    single = SelaVPR(preset_settings("tiny", branches=branches)).eval()
    left_out = "hash_branch." if branches == FLOAT else "float_branch."
    state = {k: v for k, v in model.state_dict().items() if not k.startswith(left_out)}
    single.load_state_dict(state)  # strict: it has nothing of the other branch
    batch = images(2)
    with torch.no_grad():
        full, output = model(batch), single(batch)
    if branches == FLOAT:
        assert torch.equal(output.descriptor, full.descriptor)
        assert output.hash is None
        assert output.codes is None
    else:
        assert output.descriptor is None
        assert torch.equal(output.hash, full.hash)
        assert torch.equal(output.codes, full.codes)


def test_the_backbone_runs_once_for_both_branches(model: SelaVPR) -> None:
    calls = []
    handles = [
        block.register_forward_hook(lambda *_, number=number: calls.append(number))
        for number, block in enumerate(model.backbone.blocks)
    ]
    with torch.no_grad():
        model(images(1, 28, 28))
    for handle in handles:
        handle.remove()
    assert calls == list(range(3))


def test_outputs_are_unit_vectors_and_their_signs(model: SelaVPR) -> None:
    with torch.no_grad():
        output = model(images(3))
    assert output.descriptor.shape == (3, 1024)
    assert output.hash.shape == (3, 512)
    for vectors in (output.descriptor, output.hash):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    expected = np.packbits(output.hash.numpy() >= 0, axis=1)
    np.testing.assert_array_equal(output.codes.numpy(), expected)
    assert output.codes.dtype == torch.uint8


def test_zero_sets_a_bit_and_the_first_value_is_the_highest_bit() -> None:
    values = torch.tensor([[0.0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1]])
    assert pack_bits(values).tolist() == [[0b1000_0000, 0b0000_0001]]


@pytest.mark.parametrize("size", [(224, 224), (140, 238), (14, 14)])
def test_a_description_does_not_depend_on_the_rest_of_its_batch(
    model: SelaVPR, size: tuple[int, int]
) -> None:
    batch = images(4, *size)
    with torch.no_grad():
        together = model(batch)
        alone = [model(image[None]) for image in batch]
    for name in ("descriptor", "hash"):
        one_by_one = torch.cat([getattr(output, name) for output in alone])
        torch.testing.assert_close(getattr(together, name), one_by_one, rtol=0, atol=1e-6)


def test_height_and_width_are_not_confused(model: SelaVPR) -> None:
    """A wide image and the same pixels seen as a tall one are different places."""
    wide = images(1, 56, 112)
    with torch.no_grad():
        a = model(wide).descriptor
        b = model(wide.transpose(2, 3).contiguous()).descriptor
    assert not torch.allclose(a, b, atol=1e-4)


def test_black_images_have_finite_descriptors(model: SelaVPR) -> None:
    with torch.no_grad():
        output = model(torch.zeros(2, 3, 224, 224))
    assert torch.isfinite(output.descriptor).all()
    assert torch.isfinite(output.hash).all()


def test_training_the_hash_branch_reaches_it_alone() -> None:
    model = lively_model()
    model.train()
    model.float_branch.requires_grad_(False).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    output = model(images(2, 56, 56))
    (output.hash.square() * torch.arange(512)).sum().backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained == {n for n, _ in model.named_parameters() if n.startswith("hash_branch.")}
    changed = {name for name, t in model.state_dict().items() if not torch.equal(t, before[name])}
    assert changed
    assert all(name.startswith("hash_branch.adapters") for name in changed)


def test_tiny_fits_into_16_megabytes_of_float16() -> None:
    model = skeleton(preset_settings("tiny"))
    values = sum(t.numel() for t in model.state_dict().values() if t.is_floating_point())
    assert 2 * values < 16e6


def test_only_the_branches_asked_for_are_computed(model: SelaVPR) -> None:
    ran: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in model.named_modules()
        if "branch." in name or name.startswith("backbone.blocks.0")
    ]
    with torch.no_grad():
        output = model(images(1, 56, 56), branches=("hash",))
        assert {name.split(".")[0] for name in ran} == {"backbone", "hash_branch"}
        assert output.descriptor is None
        whole = model(images(1, 56, 56))
        ran.clear()
        in_any_order = model(images(1, 56, 56), branches=("hash", "float"))
        assert ran.count("backbone.blocks.0") == 1  # once for both branches
    for hook in hooks:
        hook.remove()
    assert torch.equal(output.hash, whole.hash)
    assert torch.equal(output.codes, whole.codes)
    assert torch.equal(in_any_order.descriptor, whole.descriptor)


@pytest.mark.parametrize("names", [(), ("float",), ("hash", "global")])
def test_a_branch_that_is_not_there_is_refused(names: tuple[str, ...]) -> None:
    model = lively_model(preset_settings("tiny", branches=("hash",)))
    with pytest.raises(ValueError, match="this network has hash to choose from"):
        model(images(1, 56, 56), branches=names)


@pytest.mark.parametrize("head", ["gem", "salad"])
def test_feature_maps_are_what_the_heads_pool(head: str) -> None:
    model = lively_model(preset_settings("tiny", head=head))
    batch = images(2, 126, 140)
    pooled: dict[str, Tensor] = {}
    for name in ("float", "hash"):
        getattr(model, f"{name}_branch").head.register_forward_pre_hook(
            lambda _, inputs, name=name: pooled.update({name: inputs[0]})
        )
    with torch.no_grad():
        model(batch)
        maps = model.feature_maps(batch)
        last = list(model.backbone.stages(batch))[-1]
        expected = model.backbone.norm(last)[:, 1:].reshape(2, 9, 10, 384)
    assert torch.equal(maps.backbone, expected)
    carried = int(head == "salad")
    assert torch.equal(maps.float, pooled["float"][:, carried:].reshape(2, 9, 10, 384))
    assert torch.equal(maps.hash, pooled["hash"].reshape(2, 9, 10, 384))


def test_feature_maps_of_a_branch_left_out_are_none() -> None:
    maps = lively_model(preset_settings("tiny", branches=("hash",))).feature_maps(images(1, 28, 42))
    assert maps.float is None
    assert maps.hash.shape == maps.backbone.shape == (1, 2, 3, 384)


def test_a_class_token_passes_through_the_linear_parts_alone() -> None:
    """Eq. 6 for the class token, where the head reads it: no patch has an influence on it."""
    model = lively_model(preset_settings("tiny", branches=("float",), adapters="all", head="salad"))
    batch = images(2, 126, 140)
    seen: list[Tensor] = []
    model.float_branch.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(batch)
        stages = [tokens[:, 0] for tokens in model.backbone.stages(batch)]
        state = stages[0]
        for number in range(1, 4):
            adapter = model.float_branch.adapters[str(number)]
            state = state + adapter.up(torch.relu(adapter.down(state + stages[number])))
        torch.testing.assert_close(seen[0][:, 0], model.backbone.norm(state), rtol=0, atol=1e-4)


def test_branches_without_adapters_read_the_last_block() -> None:
    model = lively_model(preset_settings("tiny", adapter="none"))
    with torch.no_grad():
        output = model(images(2, 56, 56))
        last = model.backbone.norm(list(model.backbone.stages(images(2, 56, 56)))[-1][:, 1:])
        assert torch.equal(output.descriptor, model.float_branch.head(last, (4, 4)))
        assert torch.equal(output.hash, model.hash_branch.head(last, (4, 4)))


@pytest.mark.parametrize("adapter", ["vanilla", "token-channel"])
def test_any_image_size_fits_a_network(adapter: str) -> None:
    model = lively_model(preset_settings("tiny", adapter=adapter))
    with torch.no_grad():
        for size in ((224, 224), (322, 322), (126, 238)):
            assert torch.isfinite(model(images(1, *size)).descriptor).all()
