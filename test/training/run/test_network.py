from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from selavpr_core.errors import WeightsError
from selavpr_core.model import SelaVPR
from selavpr_core.weights import hub, native
from training.errors import ConfigError
from training.run.config import ModelConfig
from training.run.network import starting_network, trained_branches
from training.strategies import build_model


def config(**values: Any) -> ModelConfig:
    return ModelConfig(**{"preset": "tiny", "placement": "last:1", "backbone": "random", **values})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A float branch that is not as it began."""
    model = starting_network(config(), seed=1)
    assert model.float_branch is not None
    with torch.no_grad():
        for tensor in model.float_branch.state_dict().values():
            tensor += 1
    model.pretrained = True
    native.save(model, tmp_path / "float.safetensors")
    return tmp_path / "float.safetensors"


def part(model: SelaVPR, prefix: str) -> dict[str, Tensor]:
    state = model.state_dict()
    return {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_the_same_seed_gives_the_same_network() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (starting_network(config(), seed) for seed in (1, 1, 2))
    assert equal(first.state_dict(), again.state_dict())
    assert not equal(first.state_dict(), other.state_dict())
    assert torch.equal(torch.random.get_rng_state(), state)  # nobody else's randomness is touched


def test_a_hash_branch_begins_with_the_float_branchs_adapters(saved: Path) -> None:
    model = starting_network(config(branches="hash", init=str(saved)), seed=2)
    initial = SelaVPR.from_pretrained(str(saved))
    assert model.settings.branches == ("float", "hash")
    assert equal(part(model, "backbone."), part(initial, "backbone."))
    assert equal(part(model, "float_branch."), part(initial, "float_branch."))
    adapters = part(model, "hash_branch.adapters.")
    assert equal(adapters, part(initial, "float_branch.adapters."))
    assert part(model, "hash_branch.head.").keys() == part(initial, "float_branch.head.").keys()


def test_a_hash_branch_that_is_there_goes_on_as_it_is(saved: Path, tmp_path: Path) -> None:
    both = starting_network(config(branches="both", init=str(saved)), seed=2)
    assert both.hash_branch is not None
    with torch.no_grad():
        for tensor in both.hash_branch.state_dict().values():
            tensor += 1
    native.save(both, tmp_path / "both.safetensors")
    model = starting_network(config(branches="hash", init=str(tmp_path / "both.safetensors")), 3)
    assert equal(model.state_dict(), both.state_dict())


def test_a_hash_branch_can_stand_alone() -> None:
    assert starting_network(config(branches="hash"), 0).settings.branches == ("hash",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": "small"}, "has preset 'tiny', this configuration 'small'"),
        ({"placement": "last:2"}, r"has adapted_blocks \(3,\), this configuration \(2, 3\)"),
        ({"strategy": "vanilla"}, "has adapter 'multi-conv', this configuration 'vanilla'"),
        ({"head": "boq"}, "has head 'gem', this configuration 'boq'"),
    ],
)
def test_weights_of_another_network_are_refused(
    saved: Path, values: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        starting_network(config(init=str(saved), **values), seed=0)


def test_another_image_size_at_inference_is_no_other_network(saved: Path) -> None:
    model = starting_network(config(init=str(saved), input_size=(28, 42)), seed=0)
    assert model.settings.input_size == (28, 42)


@pytest.mark.parametrize("strategy", ["multi-conv", "in-block"])
def test_a_backbone_comes_from_a_file(tmp_path: Path, strategy: str) -> None:
    state = build_model("tiny").backbone.state_dict()
    ones = {name: torch.full_like(tensor, 0.5) for name, tensor in state.items()}
    save_file(ones, tmp_path / "vit.safetensors")
    values = config(backbone=str(tmp_path / "vit.safetensors"), strategy=strategy)
    backbone = part(starting_network(values, seed=0), "backbone.")
    assert all(torch.equal(backbone[name], tensor) for name, tensor in ones.items())


def test_a_backbone_comes_from_a_run_whatever_its_branches_were(tmp_path: Path) -> None:
    trained = starting_network(config(strategy="full", placement=None), seed=1)
    native.save(trained, tmp_path / "full.safetensors")
    values = config(backbone=str(tmp_path / "full.safetensors"), branches="both")
    model = starting_network(values, seed=2)
    assert equal(part(model, "backbone."), part(trained, "backbone."))
    with pytest.raises(WeightsError, match="do not fit the preset small: 1"):
        starting_network(values.model_copy(update={"preset": "small"}), seed=2)


def test_a_tuned_network_is_given_adapters_and_keeps_its_head(tmp_path: Path) -> None:
    tuned = starting_network(config(strategy="full", placement=None), seed=1)
    native.save(tuned, tmp_path / "tuned.safetensors")
    model = starting_network(config(init=str(tmp_path / "tuned.safetensors")), seed=2)
    assert model.settings.adapted_blocks == (3,)
    assert equal(part(model, "backbone."), part(tuned, "backbone."))
    assert equal(part(model, "float_branch.head."), part(tuned, "float_branch.head."))
    assert part(model, "float_branch.adapters.")
    with pytest.raises(ConfigError, match="has adapter 'none', this configuration 'in-block'"):
        starting_network(
            config(init=str(tmp_path / "tuned.safetensors"), strategy="in-block"), seed=2
        )


def test_layer_scales_start_where_asked_and_nothing_else_changes() -> None:
    full = {"strategy": "full", "placement": None}
    usual = part(starting_network(config(**full), seed=1), "")
    asked = part(starting_network(config(**full, layer_scale=0.5), seed=1), "")
    scales = {name for name in usual if name.endswith(".gamma")}
    assert scales
    assert all(torch.equal(asked[n], torch.full_like(usual[n], 0.5)) for n in scales)
    assert all(torch.equal(usual[n], torch.full_like(usual[n], 1e-5)) for n in scales)
    assert equal(*({n: t for n, t in s.items() if n not in scales} for s in (usual, asked)))


@pytest.mark.parametrize("values", [{"backbone": "dinov2"}, {"init": "base"}])
def test_trained_layer_scales_are_left_as_they_are(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"model\.layer_scale is where random weights start"):
        starting_network(config(**values, layer_scale=1.0), seed=0)


def test_dinov2_comes_from_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def fetch(preset: str) -> Path:
        asked.append(preset)
        return tmp_path / "none.safetensors"

    monkeypatch.setattr(hub, "fetch_backbone", fetch)
    with pytest.raises(WeightsError, match=r"no weights file .*none\.safetensors"):
        starting_network(ModelConfig(preset="small"), seed=0)
    assert asked == ["small"]
    with pytest.raises(ConfigError, match="no DINOv2 weights of the size of preset tiny"):
        starting_network(config(backbone="dinov2"), seed=0)


def test_a_random_backbone_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="training"):
        starting_network(config(), seed=0)
    assert "the backbone has random weights" in caplog.text
    caplog.clear()
    starting_network(config(strategy="full", placement=None), seed=0)
    assert not caplog.text  # they are trained


def test_what_is_trained_is_named_by_the_configuration() -> None:
    assert trained_branches(config(branches="both")) == ("float", "hash")
    assert trained_branches(config(branches="hash")) == ("hash",)
