from __future__ import annotations

import pytest
import torch

from selavpr_core.model import SelaVPR
from training.errors import ConfigError, TrainingError
from training.strategies import (
    STRATEGIES,
    build_model,
    copy_float_adapters,
    prepare_for_training,
    set_training_mode,
)

SMALL = torch.randn(2, 3, 56, 70, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("strategy", ["", "all", "partial", "partial:0", "partial:x", "full:2"])
def test_an_unknown_strategy_is_named_with_the_known_ones(strategy: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown strategy '{strategy}'.*{STRATEGIES[0]}"):
        build_model("tiny", strategy)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"preset": "huge"}, "huge"),
        ({"strategy": "partial:13"}, "12 blocks"),
        ({"strategy": "full", "placement": "all"}, "contradict"),
        ({"head": "netvlad"}, "netvlad"),
        ({"head": "salad", "branches": ("hash",)}, "needs the float branch"),
        ({"placement": "every:0"}, "every:0"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(arguments: dict, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        build_model(**{"preset": "tiny", **arguments})
    assert "\n" not in str(caught.value)


def test_training_for_another_strategy_or_branch_is_refused() -> None:
    model = build_model("tiny")
    with pytest.raises(TrainingError, match="does not fit"):
        prepare_for_training(model, "full", ("float",))
    with pytest.raises(TrainingError, match="built with float"):
        prepare_for_training(model, "multi-conv", ("hash",))
    with pytest.raises(TrainingError, match="no branch"):
        prepare_for_training(model, "multi-conv", ())
    with pytest.raises(TrainingError, match="branches both"):
        copy_float_adapters(model)


def changed_by_training(model: SelaVPR, strategy: str, train: tuple) -> set[str]:
    """Train one step; return the names of parameters and statistics that it changed."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parameters = prepare_for_training(model, strategy, train)
    model.train()
    set_training_mode(model, strategy, train)
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    output = model(SMALL, branches=train)
    vectors = {"float": output.descriptor, "hash": output.hash}
    sum((vectors[name][:, :7].sum() for name in train), torch.zeros(())).backward()
    optimizer.step()
    return {name for name, t in model.state_dict().items() if not torch.equal(t, before[name])}


def test_training_the_hash_branch_leaves_everything_else_bit_for_bit() -> None:
    model = build_model("tiny", branches=("float", "hash"))
    changed = changed_by_training(model, "multi-conv", ("hash",))
    assert changed
    assert all(name.startswith("hash_branch.") for name in changed)
    assert not model.float_branch.training
    assert any("running_mean" in name for name in changed)
