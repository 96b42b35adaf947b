"""Strategies by name: which network is built, and which of its parameters a run trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from selavpr_core.model import SelaVPR, preset_settings
from training.errors import ConfigError, TrainingError

Branch = Literal["float", "hash"]

# What a strategy's name makes of the network; "partial:N" tunes the last N blocks.
_ADAPTERS = {
    "multi-conv": "multi-conv",
    "vanilla": "vanilla",
    "token-channel": "token-channel",
    "in-block": "in-block",
    "partial": "none",
    "full": "none",
    "frozen": "none",
}
STRATEGIES = tuple(name if name != "partial" else "partial:N" for name in _ADAPTERS)


def build_model(
    preset: str,
    strategy: str = "multi-conv",
    placement: str | None = None,
    head: str = "gem",
    branches: Sequence[str] = ("float",),
    input_size: tuple[int, int] | None = None,
) -> SelaVPR:
    """Return an untrained network for a strategy, its backbone random, on the CPU in float32.

    strategy: one of STRATEGIES, with a number for N. placement: of the adapters, "all", "last:N"
    or "every:N"; the preset's own by default. head: of the float branch, "gem", "salad" or "boq".
    Raises ConfigError where these are unknown or contradict each other.
    """
    kind, tuned = _parsed(strategy)
    try:
        settings = preset_settings(
            preset,
            branches=branches,
            adapters=placement,
            input_size=input_size,
            adapter=_ADAPTERS[kind],
            head=head,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if tuned > settings.depth:
        raise ConfigError(f"strategy {strategy}: {preset} has {settings.depth} blocks")
    return SelaVPR(settings)


def prepare_for_training(
    model: SelaVPR, strategy: str, train: Sequence[Branch]
) -> list[nn.Parameter]:
    """Make exactly what a run trains require a gradient; return these parameters.

    train: the branches to train, of those that the network has. What is tuned inside the
    backbone belongs to all branches: it is trained only where all of them are, or a branch that
    is left out would change. Raises ConfigError for an unknown strategy, TrainingError where the
    network was built for another one or lacks a branch.
    """
    model.requires_grad_(False)
    for part in _trained_parts(model, strategy, train):
        part.requires_grad_(True)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def set_training_mode(model: SelaVPR, strategy: str, train: Sequence[Branch]) -> None:
    """Put what a run trains into training mode, and everything else into eval mode.

    To be called after every `model.train()`: a frozen branch in training mode would let its
    normalisation statistics drift. Raises as `prepare_for_training`.
    """
    model.eval()
    for part in _trained_parts(model, strategy, train):
        part.train()


def copy_float_adapters(model: SelaVPR) -> None:
    """Start the hash branch's adapters as copies of the float branch's, statistics included.

    A network whose branches have no adapters of their own is left as it is. Raises TrainingError
    where one of the branches is missing.
    """
    if model.float_branch is None or model.hash_branch is None:
        raise TrainingError(
            "the float branch's adapters cannot be copied: the network needs branches both"
        )
    model.hash_branch.adapters.load_state_dict(model.float_branch.adapters.state_dict())


def _trained_parts(model: SelaVPR, strategy: str, train: Sequence[Branch]) -> list[nn.Module]:
    """Return the modules that a run trains, whole."""
    kind, tuned = _parsed(strategy)
    if model.settings.adapter != _ADAPTERS[kind]:
        raise TrainingError(
            f"strategy {strategy} does not fit a network with adapter {model.settings.adapter!r}: "
            "name the strategy that it was built for"
        )
    present: dict[str, nn.Module | None] = {
        "float": model.float_branch,
        "hash": model.hash_branch,
    }
    parts: list[nn.Module] = []
    for name in train:
        branch = present.get(name)
        if branch is None:
            raise TrainingError(
                f"cannot train branch {name!r}: the network was built with "
                f"{' and '.join(model.settings.branches)}"
            )
        parts.append(branch)
    if not parts:
        raise TrainingError("no branch to train: name float, hash or both")
    if set(train) != set(model.settings.branches):
        return parts
    backbone = model.backbone
    if kind == "full":
        parts.append(backbone)
    elif kind == "in-block":
        parts.append(backbone.adapters)
    elif kind == "partial":
        if tuned > len(backbone.blocks):
            raise ConfigError(f"strategy {strategy}: there are {len(backbone.blocks)} blocks")
        parts.extend([*list(backbone.blocks)[-tuned:], backbone.norm])
    return parts


def _parsed(strategy: str) -> tuple[str, int]:
    """Return the kind of a strategy, and N of "partial:N" (0 for the others)."""
    kind, colon, number = strategy.partition(":")
    if kind == "partial" and number.isdecimal() and int(number) > 0:
        return kind, int(number)
    if kind not in _ADAPTERS or colon or kind == "partial":
        raise ConfigError(f"unknown strategy {strategy!r}: choose one of {', '.join(STRATEGIES)}")
    return kind, 0
