"""The network that a run begins with."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path
from typing import Literal

import torch
from timm.layers import LayerScale

from selavpr_core.model import ModelSettings, SelaVPR
from selavpr_core.model.settings import BRANCHES, SIDE_ADAPTERS
from selavpr_core.weights import hub, load_backbone, load_model, shipped
from training.errors import ConfigError
from training.run.config import ModelConfig
from training.run.local_start import start_locally
from training.strategies import build_model, copy_float_adapters

Branch = Literal["float", "hash"]

_logger = logging.getLogger("training")


def trained_branches(config: ModelConfig) -> tuple[Branch, ...]:
    """Return the branches that a run trains, the float branch first."""
    return ("float", "hash") if config.branches == "both" else (config.branches,)


def starting_network(config: ModelConfig, seed: int) -> SelaVPR:
    """Return the network before its first step, on the CPU; the same one for the same arguments.

    What `init` holds is kept; a branch that it lacks is added, the hash branch with copies of the
    float branch's adapters, and so are adapters where it has none at all. Logs a warning for a
    backbone of random weights. Raises ConfigError where the configuration contradicts itself or
    `init`, WeightsError, WeightsUnavailableError.
    """
    if config.layer_scale is not None and (config.init is not None or config.backbone != "random"):
        raise ConfigError("model.layer_scale is where random weights start: leave it out")
    if config.local_start and (config.init is not None or config.backbone != "random"):
        raise ConfigError("model.local_start is for random weights: leave it out")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if config.init is None:
            model = _build(config, trained_branches(config))
            _fill_backbone(model, config)
            return model
        return _continued(config, load_model(config.init))


def _build(config: ModelConfig, branches: tuple[str, ...]) -> SelaVPR:
    return build_model(
        config.preset,
        config.strategy,
        config.placement,
        config.head,
        branches=branches,
        input_size=config.input_size,
    )


def _continued(config: ModelConfig, initial: SelaVPR) -> SelaVPR:
    trained = trained_branches(config)
    branches = tuple(b for b in BRANCHES if b in trained or b in initial.settings.branches)
    model = _build(config, branches)
    _check_same(config, initial.settings, model.settings)
    model.load_state_dict(initial.state_dict(), strict=False)
    if "hash" in trained and initial.hash_branch is None:
        copy_float_adapters(model)
    return model


def _check_same(config: ModelConfig, initial: ModelSettings, wanted: ModelSettings) -> None:
    # First what a configuration names, and what follows from it last; how large images are at
    # inference does not touch the weights.
    named = ["preset", "adapter", "head"]
    others = [field.name for field in fields(ModelSettings) if field.name not in named]
    free = {"branches", "input_size"}
    if initial.adapter == "none" and wanted.adapter in SIDE_ADAPTERS:
        free |= {"adapter", "adapted_blocks"}
    for name in [name for name in [*named, *others] if name not in free]:
        old, new = getattr(initial, name), getattr(wanted, name)
        if old != new:
            raise ConfigError(
                f"model.init {config.init} has {name} {old!r}, this configuration {new!r}: make "
                "model.preset, strategy, placement and head those of the weights"
            )


def _fill_backbone(model: SelaVPR, config: ModelConfig) -> None:
    preset, backbone = model.settings.preset, config.backbone
    if backbone == "random":
        if config.strategy != "full":
            _logger.warning(
                "WARNING: the backbone has random weights (model.backbone=random): what is trained "
                "on it tells places apart badly, good for tests only"
            )
        if config.layer_scale is not None:
            _start_layer_scales(model, config.layer_scale)
        if config.local_start:
            start_locally(model.backbone, model.settings)
    elif backbone == "dinov2":
        if preset not in hub.BACKBONES:
            raise ConfigError(
                f"there are no DINOv2 weights of the size of preset {preset}: give "
                "model.backbone=FILE, or model.backbone=random for a test"
            )
        load_backbone(model, hub.fetch_backbone(preset))
    elif backbone == shipped.NAME:
        load_backbone(model, shipped.shipped_file())
    else:
        load_backbone(model, Path(backbone).expanduser())


def _start_layer_scales(model: SelaVPR, value: float) -> None:
    with torch.no_grad():
        for module in model.backbone.modules():
            if isinstance(module, LayerScale):
                module.gamma.fill_(value)
