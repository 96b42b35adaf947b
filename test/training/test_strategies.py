from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR
from training.errors import ConfigError, TrainingError
from training.strategies import (
    STRATEGIES,
    Branch,
    build_model,
    copy_float_adapters,
    prepare_for_training,
    set_training_mode,
)

BOTH: tuple[Branch, ...] = ("float", "hash")
SMALL = torch.randn(2, 3, 56, 70, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("strategy", ["", "all", "partial", "partial:0", "partial:x", "full:2"])
def test_an_unknown_strategy_is_named_with_the_known_ones(strategy: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown strategy '{strategy}'.*{STRATEGIES[0]}"):
        build_model("tiny", strategy)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"preset": "huge"}, "huge"),
        ({"strategy": "partial:4"}, "3 blocks"),
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


def loss_of(model: SelaVPR, train: Sequence[Branch], batch: Tensor = SMALL) -> Tensor:
    output = model(batch, branches=train)
    vectors = {"float": output.descriptor, "hash": output.hash}
    return torch.stack([vectors[name][:, :7].sum() for name in train]).sum()


def changed_by_training(
    model: SelaVPR, strategy: str, train: Sequence[Branch], steps: int = 2
) -> set[str]:
    """Train some steps; return the names of the parameters and statistics that they changed."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.Adam(prepare_for_training(model, strategy, train), lr=1e-2)
    for _ in range(steps):
        model.train()
        set_training_mode(model, strategy, train)
        optimizer.zero_grad()
        loss_of(model, train).backward()
        optimizer.step()
    return {name for name, t in model.state_dict().items() if not torch.equal(t, before[name])}


# Strategy, branches to train, and what of the state then changes: all of it, and nothing else.
TRAINED = [
    ("multi-conv", ("float",), r"float_branch\."),
    ("multi-conv", ("hash",), r"hash_branch\."),
    ("multi-conv", BOTH, r"(float|hash)_branch\."),
    ("vanilla", ("hash",), r"hash_branch\."),
    ("token-channel", ("float",), r"float_branch\."),
    ("in-block", BOTH, r"(float|hash)_branch\.|backbone\.adapters\."),
    ("in-block", ("hash",), r"hash_branch\."),
    ("partial:2", BOTH, r"(float|hash)_branch\.|backbone\.(blocks\.[12]|norm)\."),
    ("partial:2", ("hash",), r"hash_branch\."),
    ("full", BOTH, r"(float|hash)_branch\.|backbone\."),
    ("frozen", BOTH, r"(float|hash)_branch\."),
]


@pytest.mark.parametrize(("strategy", "train", "pattern"), TRAINED)
def test_a_run_changes_what_it_trains_and_leaves_the_rest_bit_for_bit(
    strategy: str, train: tuple[Branch, ...], pattern: str
) -> None:
    """Normalisation statistics included: those of a frozen branch must not drift."""
    model = build_model("tiny", strategy, branches=BOTH)
    expected = {name for name in model.state_dict() if re.match(pattern, name)}
    changed = changed_by_training(model, strategy, train)
    assert changed <= expected
    # The normalisation after a convolution takes its bias away: its gradient is rounding alone.
    assert all(name.endswith("conv.bias") for name in expected - changed)


@pytest.mark.parametrize(("strategy", "train", "pattern"), TRAINED)
def test_what_is_frozen_is_in_eval_mode(
    strategy: str, train: tuple[Branch, ...], pattern: str
) -> None:
    model = build_model("tiny", strategy, branches=BOTH)
    prepare_for_training(model, strategy, train)
    for name, module in model.eval().named_modules():
        module.training = "float_branch" in name  # as anything may have left it
    set_training_mode(model, strategy, train)
    for name, module in model.named_modules():
        own = [parameter.requires_grad for parameter in module.parameters(recurse=False)]
        if own:
            assert module.training == any(own), name


def graph_leaves(loss: Tensor) -> set[int]:
    """Return the ids of all tensors that the autograd graph of a loss accumulates gradients in."""
    leaves: set[int] = set()
    seen = {loss.grad_fn}
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        following = {following for following, _ in node.next_functions if following} - seen
        seen |= following
        waiting.extend(following)
    return leaves


@pytest.mark.parametrize(("recompute", "half"), [(False, False), (True, True)])
@pytest.mark.parametrize(("strategy", "train", "pattern"), TRAINED)
def test_nothing_frozen_is_in_the_graph(
    strategy: str, train: tuple[Branch, ...], pattern: str, recompute: bool, half: bool
) -> None:
    model = build_model("tiny", strategy, branches=BOTH)
    parameters = prepare_for_training(model, strategy, train)
    set_training_mode(model, strategy, train)
    model.recompute_adapters = recompute
    frozen_blocks = [
        number
        for number, block in enumerate(model.backbone.blocks, start=1)
        if not any(p.requires_grad for p in block.parameters())
    ]
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        if strategy not in ("in-block", "full"):
            stages = list(model.backbone.stages(SMALL))
            assert not any(stages[number].requires_grad for number in frozen_blocks)
        loss = loss_of(model, train)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    reached = {names[leaf] for leaf in graph_leaves(loss) if leaf in names}
    expected = {name for name, _ in model.named_parameters() if re.match(pattern, name)}
    assert {names[id(parameter)] for parameter in parameters} == expected
    if recompute:  # what is inside joins the graph in the backward pass
        assert reached <= expected
        loss.backward()
        reached = {name for name, p in model.named_parameters() if p.grad is not None}
    assert reached == expected


def test_adapters_are_copied_with_their_statistics() -> None:
    model = build_model("tiny", branches=BOTH)
    changed_by_training(model, "multi-conv", ("float",))
    copy_float_adapters(model)
    ours = model.hash_branch.adapters.state_dict()
    for name, tensor in model.float_branch.adapters.state_dict().items():
        assert torch.equal(ours[name], tensor)
        assert ours[name].data_ptr() != tensor.data_ptr()
    assert ours["3.multi_conv.path1.bn.num_batches_tracked"] == 2


def test_networks_without_adapters_of_their_branches_have_none_to_copy() -> None:
    model = build_model("tiny", "frozen", branches=BOTH)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    copy_float_adapters(model)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


@pytest.mark.parametrize(
    ("preset", "train", "trainable"),
    [
        ("base", "float", 11_318_721),
        ("large", "float", 26_927_105),
        ("base", "hash", 10_137_537),
        ("large", "hash", 23_253_505),
    ],
)
def test_as_many_parameters_are_trained_as_in_the_paper(
    preset: str, train: Branch, trainable: int
) -> None:
    with torch.device("meta"):
        model = build_model(preset, branches=("float",) if train == "float" else BOTH)
    parameters = prepare_for_training(model, "multi-conv", (train,))
    assert sum(parameter.numel() for parameter in parameters) == trainable


@pytest.mark.parametrize("strategy", ["multi-conv", "vanilla", "token-channel", "in-block"])
def test_every_strategy_starts_as_the_frozen_backbone(strategy: str) -> None:
    """Before training all adapters give zero, and the branch is the backbone's start or end."""
    model = build_model("tiny", strategy, placement="last:2").eval()
    maps = model.feature_maps(SMALL)
    stages = list(model.backbone.stages(SMALL))
    start = 3 if strategy == "in-block" else 1
    torch.testing.assert_close(maps.float.flatten(1, 2), model.backbone.norm(stages[start])[:, 1:])


def test_a_branch_tuned_with_its_backbone_has_gradients_from_the_first_tuned_block_on() -> None:
    model = build_model("tiny", "partial:2")
    prepare_for_training(model, "partial:2", ("float",))
    requires = [tokens.requires_grad for tokens in model.backbone.stages(SMALL)]
    assert requires == [False] * 2 + [True] * 2


def test_full_tuning_reaches_the_positions_of_every_grid() -> None:
    model = build_model("tiny", "full")
    prepare_for_training(model, "full", ("float",))
    model.eval()
    before = model(SMALL).descriptor.detach()
    loss_of(model, ("float",)).backward()
    assert model.backbone.pos_embed.grad.abs().sum() > 0
    with torch.no_grad():
        model.backbone.pos_embed.add_(torch.randn_like(model.backbone.pos_embed))
        assert not torch.allclose(model(SMALL).descriptor, before)
