"""Recomputing changes what is kept in memory, and nothing else."""

from __future__ import annotations

import copy
import weakref

import pytest
import torch
from torch import nn

from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.model import side_network as side_network_module
from selavpr_core.model.settings import SIDE_ADAPTERS

from ..lively import images, lively_model

BATCH = images(3, 126, 140)


def gradients(model: SelaVPR, recompute: bool, half: bool) -> dict[str, torch.Tensor]:
    model.recompute_adapters = recompute
    model.zero_grad()
    torch.manual_seed(5)  # SALAD drops at random
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        output = model(BATCH)
    (output.descriptor.square() @ torch.arange(float(output.descriptor.shape[1]))).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    ("adapter", "head"), [*((name, "gem") for name in SIDE_ADAPTERS), ("multi-conv", "salad")]
)
def test_gradients_and_statistics_are_the_same_bit_for_bit(
    adapter: str, head: str, half: bool
) -> None:
    settings = preset_settings(
        "tiny", branches=("float",), adapters="every:2", adapter=adapter, head=head
    )
    model = lively_model(settings).train()
    other = copy.deepcopy(model)
    kept, recomputed = gradients(model, False, half), gradients(other, True, half)
    assert kept.keys() == recomputed.keys()
    assert {name for name in kept if "adapters" in name}
    for name, gradient in kept.items():
        assert torch.equal(gradient, recomputed[name]), name
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.num_batches_tracked == 1


def test_heads_recompute_a_few_images_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over images are then in another order: equal within float32."""
    model = lively_model(preset_settings("tiny", branches=("float",), adapters="all")).eval()
    kept = gradients(model, False, False)
    monkeypatch.setattr(side_network_module, "_HEAD_CHUNK", 2)
    for name, gradient in gradients(model, True, False).items():
        torch.testing.assert_close(gradient, kept[name], rtol=1e-4, atol=1e-4, msg=name)


def test_an_error_in_the_backward_pass_leaves_the_statistics_in_place() -> None:
    model = lively_model(preset_settings("tiny", branches=("float",), adapters="all")).train()
    norm = model.float_branch.adapters["3"].multi_conv.path3[1].bn
    statistics = norm.running_mean
    output = model(BATCH)
    norm.register_forward_hook(lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        output.descriptor.sum().backward()
    assert norm.running_mean is statistics


@pytest.mark.parametrize("recompute", [False, True])
def test_the_inner_values_of_adapters_are_held_only_where_they_are_kept(recompute: bool) -> None:
    model = lively_model(preset_settings("tiny", branches=("float",), adapters="all")).train()
    model.recompute_adapters = recompute
    inner: list[weakref.ref] = []
    for adapter in model.float_branch.adapters.values():
        adapter.up.register_forward_pre_hook(
            lambda _, inputs: inner.append(weakref.ref(inputs[0].untyped_storage()))
        )
    output = model(BATCH)
    assert len(inner) == 3
    assert [reference() is not None for reference in inner] == [not recompute] * 3
    del output
