"""From what a user names ("tiny", "base", a file, "random:tiny") to a network with its weights."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch

from selavpr_core.errors import WeightsError
from selavpr_core.model.selavpr import SelaVPR
from selavpr_core.model.settings import PRESETS, preset_settings
from selavpr_core.weights import hub, native, shipped
from selavpr_core.weights.published import read_backbone, read_published
from selavpr_core.weights.state import build, check_state

_PICKLE_SUFFIXES = (".pth", ".pt", ".bin")
_RANDOM = "random:"
_SEED = 0

_logger = logging.getLogger("selavpr_core")


def load_model(name_or_path: str) -> SelaVPR:
    """Return the network that a name or a file stands for, in eval mode, float32, on the CPU.

    The network's `source` is the name, or the file's absolute path: a map keeps it, and is used
    from other folders. Logs a warning for untrained weights. Raises WeightsError,
    WeightsUnavailableError; see `SelaVPR.from_pretrained`.
    """
    path = Path(os.path.abspath(os.path.expanduser(name_or_path)))
    source = name_or_path
    if name_or_path.startswith(_RANDOM):
        model = _untrained(name_or_path.removeprefix(_RANDOM))
    elif name_or_path == shipped.NAME:
        model = _native(shipped.shipped_file())
    elif name_or_path in hub.FILES:
        model = build(*read_published(hub.fetch(name_or_path)))
        model.pretrained = True
    elif path.suffix == native.SUFFIX:
        model = _native(path)
        source = str(path)
    elif path.suffix in _PICKLE_SUFFIXES:
        model = build(*read_published(path))
        model.pretrained = True
        source = str(path)
    else:
        raise WeightsError(
            f"no weights {name_or_path!r}: give {', '.join((shipped.NAME, *hub.FILES))}, a "
            "published .pth or a .safetensors file, or random:PRESET"
        )
    model.source = source
    if not model.pretrained:
        _logger.warning(
            "untrained weights: %s tells places apart badly, for tests and demos only",
            name_or_path,
        )
    return model


def convert_weights(
    source: str, output: Path, preset: str | None = None, half: bool = False
) -> str:
    """Write the weights that a name or a file stands for as .safetensors; return the fingerprint.

    source: what `SelaVPR.from_pretrained` takes. output: a file that does not exist yet.
    preset: what the weights are expected to be; checked when given. half: round them to float16,
    for half the size and another fingerprint.
    Raises WeightsError, WeightsUnavailableError.
    """
    native.check_output(output)
    model = load_model(source)
    if preset is not None and preset != model.settings.preset:
        raise WeightsError(f"weights {source} are of preset {model.settings.preset}, not {preset}")
    return native.save(model, output, half)


def load_backbone(model: SelaVPR, path: Path) -> None:
    """Fill a network's backbone from a DINOv2 file: `dinov2_vit*14_pretrain.pth`, or timm's.

    A .safetensors or .pth file with DINOv2's own names, or a .safetensors file of ours, of which
    the backbone alone is read. Raises WeightsError, and leaves the network as it was, where the
    file does not fit.
    """
    of_ours = path.suffix == native.SUFFIX
    state = native.read_backbone(path) if of_ours else read_backbone(path)
    # Adapters inside the blocks, where a network has them, are no part of what DINOv2 published.
    expected = {
        name: tensor
        for name, tensor in model.backbone.state_dict().items()
        if not name.startswith("adapters.")
    }
    check_state(state, expected, str(path), model.settings.preset)
    model.backbone.load_state_dict(state, strict=False)


def _native(path: Path) -> SelaVPR:
    settings, state, pretrained = native.read_native(path)
    model = build(settings, state)
    model.pretrained = pretrained
    return model


def _untrained(preset: str) -> SelaVPR:
    """Return a network of a preset with the same random weights each time."""
    if preset not in PRESETS:
        raise WeightsError(f"no preset {preset!r}: write random:{'|random:'.join(PRESETS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return SelaVPR(preset_settings(preset)).eval()
