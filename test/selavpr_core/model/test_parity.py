"""The network against vectors that the published implementation computed (reference/parity)."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from selavpr_core.model import PATCH_SIZE, SelaVPR, preset_settings
from selavpr_core.model.inference import inference_copy
from selavpr_core.weights.published import published_name
from selavpr_core.weights.state import build, skeleton

pytestmark = pytest.mark.shared

TOLERANCE = 1e-5
SIZES = {"base": (224, 322), "large": (224,)}


@pytest.fixture(scope="module", params=SIZES)
def reference(request: pytest.FixtureRequest, shared: Path) -> Iterator[SimpleNamespace]:
    """The model with the reference weights, and the vectors; large is 1.4 GB, so one at a time."""
    folder = shared / "reference" / "parity"
    preset = request.param
    source = load_source(folder / "reference_weights.py")
    keys = json.loads((folder / f"{preset}_keys.json").read_text())
    settings = preset_settings(preset)
    state = {}
    for name in skeleton(settings).state_dict():
        theirs = published_name(name, settings)
        state[name] = torch.from_numpy(np.asarray(source.fill(theirs, tuple(keys[theirs]))))
    with np.load(folder / f"{preset}.npz") as vectors:
        yield SimpleNamespace(
            model=build(settings, state),
            vectors=dict(vectors),
            make_input=source.make_input,
            sizes=SIZES[preset],
        )


def load_source(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_watched(model: SelaVPR, images: torch.Tensor) -> tuple[Any, dict[str, np.ndarray]]:
    """Return the output and the intermediates that the reference has, seen through hooks."""
    seen: dict[str, torch.Tensor] = {}
    depth = model.settings.depth
    watched = {
        "block0": model.backbone.blocks[0],
        f"block{depth - 1}": model.backbone.blocks[-1],
        "gem_float": model.float_branch.head.gem,
        "gem_hash": model.hash_branch.head.gem,
    }
    handles = [
        module.register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: output}))
        for name, module in watched.items()
    ]
    heads = {"x_norm": model.float_branch.head, "z_norm": model.hash_branch.head}
    handles += [
        module.register_forward_pre_hook(
            lambda _m, inputs, name=name: seen.update({name: inputs[0]})
        )
        for name, module in heads.items()
    ]
    with torch.inference_mode():
        output = model(images)
    for handle in handles:
        handle.remove()
    return output, {name: tensor.numpy() for name, tensor in seen.items()}


def test_outputs_and_intermediates_agree_with_the_published_implementation(
    reference: SimpleNamespace,
) -> None:
    for size in reference.sizes:
        images = torch.from_numpy(reference.make_input(size))
        output, seen = run_watched(reference.model, images)
        grid = size // PATCH_SIZE
        seen["pos_embed"] = reference.model.backbone.position_embedding(grid, grid).numpy()[0]
        seen |= {"float": output.descriptor.numpy(), "hash_float": output.hash.numpy()}

        expected = {
            name.removeprefix(f"{size}/"): vector
            for name, vector in reference.vectors.items()
            if name.startswith(f"{size}/")
        }
        np.testing.assert_array_equal(output.codes.numpy(), expected.pop("code"))
        assert expected.keys() == seen.keys()
        for name, vector in expected.items():
            corner = tuple(slice(side) for side in vector.shape)
            np.testing.assert_allclose(
                seen[name][corner], vector, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{size}/{name}"
            )


def test_what_a_describer_runs_agrees_too_one_image_at_a_time(
    reference: SimpleNamespace,
) -> None:
    size = reference.sizes[0]
    images = torch.from_numpy(reference.make_input(size))
    ready = inference_copy(reference.model, torch.device("cpu"), torch.float32)
    for row, image in enumerate(images):
        with torch.inference_mode():
            output = ready(image[None])
        for name, vector in (("float", output.descriptor), ("hash_float", output.hash)):
            expected = reference.vectors[f"{size}/{name}"][row]
            np.testing.assert_allclose(vector[0].numpy(), expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(output.codes[0], reference.vectors[f"{size}/code"][row])


def test_every_published_key_has_a_place(reference: SimpleNamespace, shared: Path) -> None:
    settings = reference.model.settings
    path = shared / "reference" / "parity" / f"{settings.preset}_keys.json"
    shapes = {name: tuple(shape) for name, shape in json.loads(path.read_text()).items()}
    assert shapes.pop("backbone.mask_token") == (1, settings.embed_dim)
    ours = {
        published_name(name, settings): tuple(tensor.shape)
        for name, tensor in reference.model.state_dict().items()
    }
    assert ours == shapes
