from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR, preset_settings
from training.batches import normalised
from training.errors import ConfigError
from training.run.adapter_start import start_adapters

SIZE = (56, 56)
CPU = torch.device("cpu")


def images(count: int) -> Tensor:
    # Smooth: of noise all patches would be alike to a network.
    small = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return (torch.nn.functional.interpolate(small, SIZE, mode="bicubic").clamp(0, 1) * 255).byte()


def network(placement: str = "last:1", **settings: str) -> SelaVPR:
    torch.manual_seed(0)
    model = SelaVPR(preset_settings("tiny", adapters=placement, input_size=SIZE, **settings))
    with torch.no_grad():  # blocks that do something, as trained ones do
        for name, tensor in model.backbone.named_parameters():
            if name.endswith("gamma"):
                tensor.fill_(1.0)
    return model


@torch.no_grad()
def states(model: SelaVPR, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the float branch's state begins and ends with, and the last block's output: [N, D]."""
    branch = model.eval().float_branch
    assert branch is not None
    state, first = None, None
    grid = (SIZE[0] // 14, SIZE[1] // 14)
    for number, tokens in enumerate(model.backbone.stages(normalised(pictures))):
        state = branch.advance(number, state, tokens, grid)
        first = state if number == branch.start else first
    assert state is not None
    assert first is not None
    return first.flatten(0, 1), state.flatten(0, 1), tokens[:, 1:].flatten(0, 1)


def best_guess(first: np.ndarray, last: np.ndarray, rank: int) -> np.ndarray:
    """Reduced-rank regression the plain way: least squares, then the largest singular vectors."""
    z, d = first + last, last - first
    z, d = z - z.mean(0), d - d.mean(0)
    fitted = z @ np.linalg.lstsq(z, d, rcond=None)[0]
    basis = np.linalg.svd(fitted, full_matrices=False)[2][:rank]
    return (last - first).mean(0) + fitted @ basis.T @ basis


@pytest.mark.parametrize("placement", ["last:1", "all"])
def test_the_state_ends_as_the_best_guess_of_the_last_blocks_output(placement: str) -> None:
    model, pictures = network(placement), images(60)
    start_adapters(model, ("float",), pictures.split(8), CPU)
    first, state, last = states(model, pictures)
    width = model.settings.embed_dim
    guess = best_guess(first.double().numpy(), last.double().numpy(), width // 2)
    added = (state - first).double().numpy()
    spread = np.linalg.norm(guess - guess.mean(0))
    assert spread > 1
    # The ReLU cuts off a little, and convolutions start close to zero, not at it.
    assert np.linalg.norm(added - guess) < 0.05 * spread


def test_both_branches_begin_alike_and_nothing_else_changes() -> None:
    model, before = network(), network()
    model.train()
    assert model.float_branch is not None
    model.float_branch.head.eval()
    start_adapters(model, ("float", "hash"), images(20).split(8), CPU)
    old, new = before.state_dict(), model.state_dict()
    changed = {name for name in new if not torch.equal(new[name], old[name])}
    assert changed == {
        f"{branch}_branch.adapters.3.{layer}.{kind}"
        for branch in ("float", "hash")
        for layer in ("down", "up")
        for kind in ("weight", "bias")
    }
    for name in changed:
        assert torch.equal(new[name], new[name.replace("hash", "float")])
    assert model.training
    assert not model.float_branch.head.training


@pytest.mark.parametrize(
    ("placement", "adapter"), [("every:2", "multi-conv"), ("last:1", "vanilla")]
)
def test_other_adapters_are_refused(placement: str, adapter: str) -> None:
    with pytest.raises(ConfigError, match=r"adapter_images is for multi-conv adapters, one of"):
        start_adapters(network(placement, adapter=adapter), ("float",), [], CPU)
