from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from selavpr_core.model.adapters.multi_conv import MultiConv, MultiConvAdapter

from ...lively import lively_model


@pytest.fixture(scope="module")
def adapter() -> MultiConvAdapter:
    return lively_model().float_branch.adapters["3"]


def convolved_by_loops(features: torch.Tensor, unit: nn.Module) -> torch.Tensor:
    """Convolution with zero padding, normalisation by running statistics, ReLU: [C, h, w]."""
    weight, bias, bn = unit.conv.weight, unit.conv.bias, unit.bn
    outputs, _, kernel, _ = weight.shape
    _, height, width = features.shape
    result = torch.empty(outputs, height, width)
    for y in range(height):
        for x in range(width):
            value = bias.clone()
            for i in range(kernel):
                for j in range(kernel):
                    row, column = y + i - kernel // 2, x + j - kernel // 2
                    if 0 <= row < height and 0 <= column < width:
                        value = value + weight[:, :, i, j] @ features[:, row, column]
            value = (value - bn.running_mean) / torch.sqrt(bn.running_var + 1e-3)
            result[:, y, x] = torch.relu(value * bn.weight + bn.bias)
    return result


def test_it_is_the_sum_of_its_paths_on_the_map(adapter: MultiConvAdapter) -> None:
    height, width = 3, 5
    tokens = torch.randn(2, height * width, 384, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        result = adapter(tokens, (height, width))
        for row, expected in zip(tokens, result, strict=True):
            features = torch.relu(row @ adapter.down.weight.T + adapter.down.bias)
            plane = features.T.reshape(192, height, width)
            paths = adapter.multi_conv
            joined = torch.cat(
                [
                    convolved_by_loops(plane, paths.path1),
                    convolved_by_loops(convolved_by_loops(plane, paths.path3[0]), paths.path3[1]),
                    convolved_by_loops(convolved_by_loops(plane, paths.path5[0]), paths.path5[1]),
                ]
            )
            refined = (plane + joined).reshape(192, height * width).T
            by_loops = refined @ adapter.up.weight.T + adapter.up.bias
            torch.testing.assert_close(by_loops, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("embed_dim", "parameters", "widths"),
    [(768, 762_768, (192, 24, 96, 24, 96)), (1024, 1_354_944, (256, 32, 128, 32, 128))],
)
def test_widths_and_parameters_are_the_published_ones(
    embed_dim: int, parameters: int, widths: tuple[int, ...]
) -> None:
    adapter = MultiConvAdapter(embed_dim)
    convolutions = [m for m in adapter.modules() if isinstance(m, nn.Conv2d)]
    assert tuple(conv.out_channels for conv in convolutions) == widths
    assert [conv.kernel_size[0] for conv in convolutions] == [1, 1, 3, 1, 5]
    assert sum(parameter.numel() for parameter in adapter.parameters()) == parameters


def test_it_is_zero_before_training() -> None:
    adapter = MultiConvAdapter(192).eval()
    assert not adapter(torch.randn(1, 4, 192), (2, 2)).any()
    for parameter in adapter.multi_conv.path5[1].conv.parameters():
        assert torch.all(parameter == 1e-5)
    assert adapter.down.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_its_first_step_moves_only_what_comes_after_it() -> None:
    adapter = MultiConvAdapter(192).train()
    adapter(torch.randn(2, 4, 192), (2, 2)).sum().backward()
    assert adapter.up.weight.grad.abs().sum() > 0
    assert not adapter.down.weight.grad.any()


def test_channels_are_divided_without_a_rest() -> None:
    features = torch.rand(1, 3 * 4, 96)
    assert MultiConv(96).eval()(features, (3, 4)).shape == features.shape


def test_statistics_are_those_of_each_unit_by_itself() -> None:
    """The units that read the same features are computed together."""
    model = lively_model(seed=3)
    together = model.float_branch.adapters["3"].multi_conv.train()
    apart = copy.deepcopy(together)
    patches = torch.randn(3, 4 * 5, 192)
    for _ in range(2):
        result = together(patches, (4, 5))
        features = patches.transpose(1, 2).reshape(3, 192, 4, 5)
        paths = [apart.path1(features), apart.path3(features), apart.path5(features)]
        expected = (features + torch.cat(paths, dim=1)).flatten(2).transpose(1, 2)
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    result.square().sum().backward()
    expected.square().sum().backward()
    for name, tensor in apart.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    for name, parameter in apart.named_parameters():
        gradient = together.get_parameter(name).grad
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-2, msg=name)
    assert together.path3[0].bn.num_batches_tracked == 2


def test_normalisations_that_agree_between_processes_do_their_own_work() -> None:
    """Training over several GPUs puts them in the place of the others."""
    adapter = lively_model(seed=3).float_branch.adapters["3"]
    tokens = torch.randn(2, 4 * 5, 384)
    with torch.no_grad():
        expected = adapter(tokens, (4, 5))
        exchanged = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(adapter))
        ran: list[nn.Module] = []
        for module in exchanged.modules():
            if isinstance(module, nn.SyncBatchNorm):
                module.register_forward_hook(lambda norm, *_: ran.append(norm))
        torch.testing.assert_close(exchanged(tokens, (4, 5)), expected, rtol=1e-4, atol=1e-5)
    assert len(ran) == 5
