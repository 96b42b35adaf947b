from __future__ import annotations

import pytest
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR, preset_settings
from training.batches import normalised
from training.errors import ConfigError
from training.run.head_start import start_heads

SIZE = (56, 56)
CPU = torch.device("cpu")


def images(count: int) -> Tensor:
    return torch.randint(
        256, (count, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def started(count: int = 40, head: str = "gem") -> SelaVPR:
    torch.manual_seed(0)
    settings = preset_settings("tiny", adapters="last:1", input_size=SIZE, head=head)
    model = SelaVPR(settings)
    start_heads(model, ("float", "hash"), images(count).split(8), CPU)
    return model


def pooled(model: SelaVPR, pictures: Tensor) -> Tensor:
    kept: list[Tensor] = []
    assert model.float_branch is not None
    hook = model.float_branch.head.gem.register_forward_hook(lambda *args: kept.append(args[2]))
    with torch.no_grad():
        model.eval()(normalised(pictures))
    hook.remove()
    return kept[0].double()


def test_projections_are_centred_and_weigh_directions_by_the_root_of_their_deviation() -> None:
    model, pictures = started(), images(40)
    features = pooled(model, pictures)
    assert model.float_branch is not None
    layer = model.float_branch.head.linear2.double()
    with torch.no_grad():
        projected = layer(features)
    assert projected.mean(dim=0).abs().max() < 1e-5 * projected.abs().max()
    # A rotation changes no distance: they are those of the half-whitened features.
    centred = features - features.mean(dim=0)
    _, lengths, directions = torch.linalg.svd(centred, full_matrices=False)
    lengths = lengths.clamp(min=1e-3 * lengths[0])
    wanted = torch.cdist(*2 * [centred @ directions.T / lengths.sqrt()])
    distances = torch.cdist(projected, projected)
    scale = (distances.sum() / wanted.sum()).item()
    assert torch.allclose(distances, scale * wanted, atol=1e-4 * distances.max().item())


def test_the_layer_is_as_long_as_its_random_weights_were() -> None:
    torch.manual_seed(0)
    before = SelaVPR(preset_settings("tiny", adapters="last:1", input_size=SIZE))
    after = started()
    for branch in ("float_branch", "hash_branch"):
        lengths = [
            getattr(model, branch).head.linear2.weight.square().mean().sqrt().item()
            for model in (before, after)
        ]
        assert lengths[1] == pytest.approx(lengths[0], rel=1e-4)


def test_descriptors_of_other_images_do_not_all_point_the_same_way() -> None:
    torch.manual_seed(0)
    random = SelaVPR(preset_settings("tiny", adapters="last:1", input_size=SIZE)).eval()
    with torch.no_grad():
        pictures = normalised(images(60)[40:])
        before, after = (model(pictures).descriptor for model in (random, started().eval()))
    assert (before @ before.T).mean() > 0.9
    assert (after @ after.T).mean() < 0.3


def test_the_start_depends_on_the_seed_and_the_images_alone_and_leaves_the_mode() -> None:
    first, second = started(), started()
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert first.float_branch is not None
    assert first.float_branch.training == SelaVPR(first.settings).float_branch.training  # type: ignore[union-attr]


def test_fewer_images_than_channels_will_do() -> None:
    model = started(count=8)
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


def test_heads_of_other_kinds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.head_images"):
        started(head="boq")
