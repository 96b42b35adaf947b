from __future__ import annotations

import pytest
import torch
from torch import nn

from selavpr_core.model import SelaVPR, preset_settings
from selavpr_core.model.inference import FoldedMultiConv, inference_copy
from selavpr_core.model.settings import ADAPTERS, HEADS

from ..lively import images, lively_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> SelaVPR:
    return lively_model()


@pytest.mark.parametrize("size", [(224, 224), (98, 182)])
def test_folding_changes_nothing_that_counts(model: SelaVPR, size: tuple[int, int]) -> None:
    ready = inference_copy(model, CPU, torch.float32)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ready.modules())
    batch = images(3, *size)
    with torch.inference_mode():
        expected, output = model(batch), ready(batch)
    torch.testing.assert_close(output.descriptor, expected.descriptor, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.hash, expected.hash, rtol=0, atol=1e-5)


def test_a_folded_adapter_equals_the_one_it_was_made_from(model: SelaVPR) -> None:
    adapter = model.hash_branch.adapters["3"]
    tokens = torch.randn(2, 6 * 4, 384)
    with torch.inference_mode():
        folded = FoldedMultiConv(adapter)(tokens, (6, 4))
        torch.testing.assert_close(folded, adapter(tokens, (6, 4)), rtol=1e-4, atol=1e-5)


def test_a_folded_adapter_carries_a_class_token(model: SelaVPR) -> None:
    adapter = model.hash_branch.adapters["3"]
    tokens = torch.randn(2, 1 + 6 * 4, 384)
    with torch.inference_mode():
        folded = FoldedMultiConv(adapter)(tokens, (6, 4))
        torch.testing.assert_close(folded, adapter(tokens, (6, 4)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("adapter", "head"),
    [*((name, "gem") for name in ADAPTERS), *(("multi-conv", name) for name in HEADS[1:])],
)
def test_every_adapter_and_head_is_made_ready(adapter: str, head: str) -> None:
    model = lively_model(preset_settings("tiny", adapter=adapter, head=head))
    ready = inference_copy(model, CPU, torch.float32)
    half = inference_copy(model, CPU, torch.bfloat16)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ready.modules())
    batch = images(2, 126, 140)
    with torch.inference_mode():
        expected, output, rounded = model(batch), ready(batch), half(batch)
    torch.testing.assert_close(output.descriptor, expected.descriptor, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.hash, expected.hash, rtol=0, atol=1e-5)
    assert rounded.descriptor.dtype == torch.float32
    similarity = nn.functional.cosine_similarity(rounded.descriptor, expected.descriptor)
    assert similarity.min() > 0.99


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_finite_and_close(model: SelaVPR, dtype: torch.dtype) -> None:
    batch = images(2)
    batch[1] = 0.0
    with torch.inference_mode():
        expected = model(batch)
        output = inference_copy(model, CPU, dtype)(batch)
    for vectors, exact in ((output.descriptor, expected.descriptor), (output.hash, expected.hash)):
        assert vectors.dtype == torch.float32
        assert torch.isfinite(vectors).all()
        assert nn.functional.cosine_similarity(vectors, exact).min() > 0.999


def test_the_original_is_left_as_it_is(model: SelaVPR) -> None:
    before = {name: (t.clone(), t.data_ptr()) for name, t in model.state_dict().items()}
    model.train()
    inference_copy(model, CPU, torch.bfloat16)
    assert model.float_branch.training
    model.eval()
    for name, tensor in model.state_dict().items():
        assert tensor.data_ptr() == before[name][1]
        assert torch.equal(tensor, before[name][0])
    assert all(p.requires_grad for p in model.float_branch.parameters())


def test_float32_weights_are_shared_with_the_original(model: SelaVPR) -> None:
    ready = inference_copy(model, CPU, torch.float32)
    original = dict(model.backbone.named_parameters())
    for name, parameter in ready.backbone.named_parameters():
        assert parameter.data_ptr() == original[name].data_ptr()
        assert not parameter.requires_grad


def test_what_half_precision_cannot_hold_stays_in_float32(model: SelaVPR) -> None:
    ready = inference_copy(model, CPU, torch.bfloat16)
    kept = {n for n, p in ready.named_parameters() if p.dtype == torch.float32}
    parts = {name.split(".")[1] for name in kept}
    assert parts == {"cls_token", "pos_embed", "norm", "head"}
