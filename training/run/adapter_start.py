"""Where the adapters of a run start: handing on what the blocks beside them add."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from selavpr_core.model import SelaVPR
from selavpr_core.model.adapters import MultiConvAdapter
from selavpr_core.model.side_network import SideNetwork
from training.batches import normalised
from training.errors import ConfigError
from training.run.looking import only_looking
from training.strategies import Branch

# Standard deviations by which what the ReLU sees lies above zero: it cuts off nearly nothing.
_ABOVE_ZERO = 4.0
_RIDGE = 1e-6  # of the mean variance: directions that no image shows


class Moments(NamedTuple):
    """Means and second moments about them of what an adapter reads, z, and is to add, d.

    of_z, of_d: [D]. zz, zd: [D, D], float64.
    """

    of_z: Tensor
    of_d: Tensor
    zz: Tensor
    zd: Tensor


@torch.no_grad()
def start_adapters(
    model: SelaVPR, branches: Sequence[Branch], images: Iterable[Tensor], device: torch.device
) -> None:
    """Set the last block's adapter of branches: their state ends as that block's output, nearly.

    Published adapters start at zero. The state is then what the first adapted block reads, and
    what the blocks beside the adapters add to it has to be learned anew. Here the last adapter
    starts as the best linear guess of that, through the half of the channels that it has
    (reduced-rank regression); all others start at zero.

    images: [B, 3, H, W] uint8 each. Raises ConfigError for other adapters than "multi-conv", or
    where the last block has none.
    """
    networks = [_side_network(model, name) for name in branches]
    start = networks[0].start
    with only_looking(model):
        moments = _moments(model, start, images, device)
    for network in networks:
        adapter = network.adapters[str(model.settings.depth)]
        assert isinstance(adapter, MultiConvAdapter)
        _set(adapter, moments)


def _side_network(model: SelaVPR, name: Branch) -> SideNetwork:
    branch = {"float": model.float_branch, "hash": model.hash_branch}[name]
    assert branch is not None
    last = str(model.settings.depth)
    if model.settings.adapter != "multi-conv" or last not in branch.adapters:
        raise ConfigError(
            "model.adapter_images is for multi-conv adapters, one of them at the last block: "
            "leave it out"
        )
    return branch


def _moments(model: SelaVPR, start: int, images: Iterable[Tensor], device: torch.device) -> Moments:
    """Compare the patches of the state's start with the last block's, z = both, d = last - start.

    z is what an adapter reads as long as those before it give zero (Eq. 6).
    """
    width = model.settings.embed_dim
    sums = torch.zeros(2, width, dtype=torch.float64, device=device)
    products = torch.zeros(2, width, width, dtype=torch.float64, device=device)
    count = 0
    for batch in images:
        for number, tokens in enumerate(model.backbone.stages(normalised(batch.to(device)))):
            last = tokens[:, 1:].float()
            if number == start:
                first = last
        z, d = (first + last).flatten(0, 1), (last - first).flatten(0, 1)
        for row, values in enumerate((z, d)):
            sums[row] += values.sum(dim=0, dtype=torch.float64)
            products[row] += (z.T @ values).double()
        count += len(z)
    of_z, of_d = sums / count
    zz = products[0] / count - torch.outer(of_z, of_z)
    zd = products[1] / count - torch.outer(of_z, of_d)
    return Moments(of_z, of_d, zz, zd)


def _set(adapter: MultiConvAdapter, moments: Moments) -> None:
    """Make down and up the best linear guess of d from z in as many channels as lie between."""
    of_z, of_d, zz, zd = moments
    ridge = _RIDGE * zz.diagonal().mean() * torch.eye(len(zz), dtype=zz.dtype, device=zz.device)
    guess = torch.linalg.solve(zz + ridge, zd)  # d - of_d is (z - of_z) @ guess
    variances, directions = torch.linalg.eigh(guess.T @ zz @ guess)
    channels = adapter.down.out_features
    deviations = variances[-channels:].clamp(min=torch.finfo(zz.dtype).tiny).sqrt()
    kept = directions[:, -channels:]
    down = (guess @ kept / deviations).T
    up = kept * deviations
    adapter.down.weight.copy_(down)
    adapter.down.bias.copy_(_ABOVE_ZERO - down @ of_z)
    adapter.up.weight.copy_(up)
    adapter.up.bias.copy_(of_d - _ABOVE_ZERO * up.sum(dim=1))
