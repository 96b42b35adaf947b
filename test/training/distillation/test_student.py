from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from selavpr_core.model import SelaVPR
from training.distillation import Cells, Student
from training.strategies import build_model, prepare_for_training


@pytest.fixture(scope="module")
def network() -> SelaVPR:
    torch.manual_seed(0)
    model = build_model("tiny", "full", branches=("float", "hash"), input_size=(56, 56))
    prepare_for_training(model, "full", ("float", "hash"))
    return model


@pytest.fixture(scope="module")
def batch() -> Tensor:
    return torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))


def test_predictions_are_linear_in_the_normed_patches(network: SelaVPR, batch: Tensor) -> None:
    student = Student(network, 6)
    kept = Cells((4, 4), (2, 2)).draw(2, 1)
    _, cells = student(batch, ("float",), None, kept.inside)
    maps = network.feature_maps(batch).backbone.permute(0, 3, 1, 2)
    pooled = functional.adaptive_avg_pool2d(maps, (2, 2)).flatten(2).transpose(1, 2)
    assert torch.allclose(cells, pooled @ student.layer.weight.T + student.layer.bias, atol=1e-5)
    assert cells.shape == (2, 4, 6)


def test_branches_say_what_the_network_alone_says(network: SelaVPR, batch: Tensor) -> None:
    output, _ = Student(network, 6)(
        batch, ("float", "hash"), None, Cells((4, 4), (2, 2)).draw(2, 1).inside
    )
    expected = network(batch)
    assert torch.allclose(output.descriptor, expected.descriptor, atol=1e-5)
    assert torch.allclose(output.hash, expected.hash, atol=1e-5)


def test_patches_that_are_left_out_are_not_looked_at(network: SelaVPR, batch: Tensor) -> None:
    torch.manual_seed(3)
    kept = Cells((4, 4), (2, 2)).draw(2, 0.5)
    assert kept.patches.shape == (2, 8)
    student = Student(network, 6)

    def said(images: Tensor) -> list[Tensor]:
        output, prediction = student(images, ("float",), kept.patches, kept.inside)
        return [output.descriptor, prediction]

    def with_noise_in(patch: int) -> Tensor:
        row, column = (14 * place for place in divmod(patch, 4))
        changed = batch.clone()
        changed[:, :, row : row + 14, column : column + 14] = torch.randn(14, 14)
        return changed

    before = said(batch)
    for patch in range(16):
        after = said(with_noise_in(patch))
        for image, patches in enumerate(kept.patches.tolist()):
            same = [torch.equal(a[image], b[image]) for a, b in zip(before, after, strict=True)]
            assert same == [patch not in patches] * 2


def test_everything_that_is_trained_gets_a_gradient(network: SelaVPR, batch: Tensor) -> None:
    torch.manual_seed(3)
    kept = Cells((4, 4), (2, 2)).draw(2, 0.5)
    student = Student(network, 6)
    output, prediction = student(batch, ("float", "hash"), kept.patches, kept.inside)
    sum(
        t.square().sum() for t in (prediction, output.descriptor[:, 0], output.hash[:, 0])
    ).backward()
    without = [name for name, p in student.named_parameters() if p.grad is None]
    network.zero_grad()
    assert without == []
