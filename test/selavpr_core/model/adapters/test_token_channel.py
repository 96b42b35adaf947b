from __future__ import annotations

import pytest
import torch

from selavpr_core.model.adapters import TokenChannelAdapter
from selavpr_core.model.adapters.token_channel import TokenMixer


@pytest.fixture
def adapter() -> TokenChannelAdapter:
    adapter = TokenChannelAdapter(16)
    generator = torch.Generator().manual_seed(0)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    return adapter


def test_it_mixes_channels_and_then_patches(adapter: TokenChannelAdapter) -> None:
    tokens = torch.randn(2, 256, 16)
    channels, mixer = adapter.channels, adapter.patches
    for image, result in zip(tokens, adapter(tokens, (16, 16)), strict=True):
        hidden = torch.relu(image @ channels.down.weight.T + channels.down.bias)
        update = hidden @ channels.up.weight.T + channels.up.bias
        columns = []
        for channel in (image + update).T:
            sums = torch.nn.functional.gelu(mixer.down.weight @ channel + mixer.down.bias)
            columns.append(mixer.up.weight @ sums + mixer.up.bias)
        torch.testing.assert_close(update + torch.stack(columns, 1), result, rtol=1e-4, atol=1e-5)


def test_it_is_zero_before_training() -> None:
    adapter = TokenChannelAdapter(768)
    assert not adapter(torch.randn(1, 257, 768), (16, 16)).any()
    # Rank 96 over channels, rank 64 over the 256 patches of the training grid.
    expected = 2 * 768 * 96 + 768 + 96 + 2 * 256 * 64 + 256 + 64
    assert sum(p.numel() for p in adapter.parameters()) == expected


def test_a_class_token_has_its_channels_mixed_and_gives_nothing(
    adapter: TokenChannelAdapter,
) -> None:
    tokens = torch.randn(2, 257, 16)
    result = adapter(tokens, (16, 16))
    torch.testing.assert_close(result[:, 0], adapter.channels(tokens[:, :1])[:, 0])
    torch.testing.assert_close(result[:, 1:], adapter(tokens[:, 1:], (16, 16)))


@pytest.mark.parametrize("grid", [(23, 23), (32, 16), (8, 8), (7, 13)])
def test_on_another_grid_it_does_to_a_smooth_map_what_it_does_on_its_own(
    grid: tuple[int, int],
) -> None:
    """Weights that vary smoothly over the map, as trained ones on neighbours do, are resampled."""
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    basis = torch.stack([torch.ones_like(x), x, y, x * y]).flatten(1)
    mixer = TokenMixer()
    mixer.down.weight.data = torch.randn(64, 4, generator=generator) @ basis / 256
    mixer.up.weight.data = (torch.randn(64, 4, generator=generator) @ basis).T
    mixer.up.bias.data = torch.randn(4, generator=generator) @ basis

    def smooth_map(height: int, width: int) -> torch.Tensor:
        # Centres of the cells of a square from -1 to 1.
        rows = (torch.arange(height) + 0.5) / height * 2 - 1
        columns = (torch.arange(width) + 0.5) / width * 2 - 1
        return (rows[:, None] + 0.5 * columns**2).reshape(1, -1, 1)

    with torch.no_grad():
        own = mixer(smooth_map(16, 16), (16, 16)).reshape(1, 1, 16, 16)
        other = mixer(smooth_map(*grid), grid).reshape(1, 1, *grid)
        expected = torch.nn.functional.interpolate(own, grid, mode="bilinear", antialias=True)
    assert (other - expected).norm() < 0.03 * expected.norm()


def test_tokens_that_are_no_map_are_refused(adapter: TokenChannelAdapter) -> None:
    with pytest.raises(ValueError, match="12 tokens are no grid of 2 x 5"):
        adapter(torch.randn(1, 12, 16), (2, 5))
