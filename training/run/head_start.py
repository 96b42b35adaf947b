"""Where the heads of a run start: centred, and with directions of like length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from selavpr_core.model import SelaVPR
from selavpr_core.model.heads import GeMHead
from training.batches import normalised
from training.errors import ConfigError
from training.run.looking import only_looking
from training.strategies import Branch

# Full whitening (1) makes noise of the weakest directions as long as what tells places apart.
_WHITENING = 0.5
_LEAST_SHARE = 1e-3  # of the longest direction's deviation


@torch.no_grad()
def start_heads(
    model: SelaVPR, branches: Sequence[Branch], images: Iterable[Tensor], device: torch.device
) -> None:
    """Set the last layer of branches' heads by what the network makes of some images.

    What GeM pools is positive, so that with random layers all descriptors point the same way, and
    a loss takes long to part them. The layer takes off the mean, divides each principal direction
    by the root of its deviation, and turns the result by a random rotation, so that codes have
    their bits from all of it. As long as the layer's random weights were.

    images: [B, 3, H, W] uint8 each. Draws from torch's CPU generator. Raises ConfigError for other
    heads than "gem".
    """
    heads = {name: _gem_head(model, name) for name in branches}
    pooled: dict[str, list[Tensor]] = {name: [] for name in branches}
    hooks = [
        head.gem.register_forward_hook(lambda _, __, output, into=pooled[name]: into.append(output))
        for name, head in heads.items()
    ]
    try:
        with only_looking(model):
            for batch in images:
                model(normalised(batch.to(device)), branches)
    finally:
        for hook in hooks:
            hook.remove()
    for name, head in heads.items():
        _whiten(head.linear2, torch.cat(pooled[name]).double().cpu())


def _gem_head(model: SelaVPR, name: Branch) -> GeMHead:
    branch = {"float": model.float_branch, "hash": model.hash_branch}[name]
    assert branch is not None
    if not isinstance(branch.head, GeMHead):
        raise ConfigError('model.head_images is for model.head "gem": leave it out')
    return branch.head


def _whiten(layer: nn.Linear, features: Tensor) -> None:
    """features: [N, D] float64, what the layer got of N images."""
    mean = features.mean(dim=0)
    _, lengths, directions = torch.linalg.svd(features - mean, full_matrices=False)
    lengths = lengths.clamp(min=_LEAST_SHARE * float(lengths[0]))
    whitening = directions / lengths[:, None] ** _WHITENING
    turn = _rotation(layer.out_features, len(lengths))
    weight = turn @ whitening
    weight *= layer.weight.square().mean().sqrt().cpu() / weight.square().mean().sqrt()
    layer.weight.copy_(weight)
    layer.bias.copy_(-weight @ mean)


def _rotation(rows: int, columns: int) -> Tensor:
    """Return a random matrix [rows, columns] with orthonormal columns, or rows if fewer."""
    drawn = torch.randn(max(rows, columns), min(rows, columns), dtype=torch.float64)
    basis = torch.linalg.qr(drawn)[0]
    return basis if rows >= columns else basis.T
