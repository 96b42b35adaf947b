"""Our own weight format: one .safetensors file that says by itself what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from selavpr_core.errors import WeightsError
from selavpr_core.model.selavpr import SelaVPR
from selavpr_core.model.settings import ModelSettings
from selavpr_core.weights.fingerprint import fingerprint
from selavpr_core.weights.half import halved
from selavpr_core.weights.state import check_state, skeleton

SUFFIX = ".safetensors"
_FORMAT = "selavpr"
_VERSION = "1"
_BACKBONE = "backbone."


def save(model: SelaVPR, path: Path, half: bool = False) -> str:
    """Write a network's weights and settings to a new file; return their fingerprint.

    half: keep matrices and kernels as float16 (see `halved`); the fingerprint is then that of the
    rounded weights, as they will be read. The file appears whole or not at all. Raises WeightsError
    where it exists already, has another suffix, or cannot be written.
    """
    check_output(path)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = halved(state)
    digest = fingerprint(state, model.settings)
    metadata = {
        "format": _FORMAT,
        "version": _VERSION,
        "settings": json.dumps(model.settings.to_json()),
        "pretrained": json.dumps(model.pretrained),
        "fingerprint": digest,
    }
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            save_file(state, aside, metadata)
            aside.chmod(0o666 & ~_umask())  # the library lets nobody else read
            with aside.open("rb") as written:
                os.fsync(written.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write weights to {path}: {error}") from error
    return digest


def _umask() -> int:
    """Return which permissions new files of this process lack."""
    umask = os.umask(0o077)  # there is no way to ask without setting it
    os.umask(umask)
    return umask


def check_output(path: Path) -> None:
    """Raise WeightsError unless `save` may write to this path: weights are never replaced."""
    if path.suffix != SUFFIX:
        raise WeightsError(f"cannot write weights to {path}: choose a name that ends in {SUFFIX}")
    if path.exists():
        raise WeightsError(f"{path} exists already: remove it or choose another name")
    if not path.parent.is_dir():
        raise WeightsError(f"cannot write weights to {path}: there is no folder {path.parent}")


def read_backbone(path: Path) -> dict[str, Tensor]:
    """Return the float32 tensors of a .safetensors file that holds a backbone, by DINOv2's names.

    Of a file that `save` wrote they are the backbone's alone; of any other they are all that it
    holds. Raises WeightsError where it is missing or damaged.
    """
    state, metadata = _read(path)
    if metadata.get("format") != _FORMAT:
        return state
    _, state, _ = read_native(path)
    return {
        name.removeprefix(_BACKBONE): tensor
        for name, tensor in state.items()
        if name.startswith(_BACKBONE)
    }


def read_native(path: Path) -> tuple[ModelSettings, dict[str, Tensor], bool]:
    """Return the settings, the float32 state dict, and whether the weights were trained.

    Raises WeightsError where the file is missing, damaged, of another kind or version, or does
    not hold what its settings and its fingerprint say.
    """
    state, metadata = _read(path)
    if metadata.get("format") != _FORMAT:
        raise WeightsError(
            f"weights {path} were not written by selavpr (no settings inside): "
            "make them with `selavpr convert-weights`"
        )
    if metadata.get("version") != _VERSION:
        raise WeightsError(
            f"weights {path} are of format version {metadata.get('version')}, this program reads "
            f"{_VERSION}: make them again with `selavpr convert-weights`"
        )
    try:
        settings = ModelSettings.from_json(json.loads(metadata["settings"]))
        pretrained = json.loads(metadata["pretrained"]) is True
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(f"weights {path} have damaged settings ({error})") from error
    check_state(state, skeleton(settings).state_dict(), str(path), settings.preset)
    if fingerprint(state, settings) != metadata.get("fingerprint"):
        raise WeightsError(f"weights {path} are damaged: the fingerprint inside does not match")
    return settings, state, pretrained


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors, floats as float32, and the metadata of a .safetensors file."""
    if not path.is_file():
        raise WeightsError(f"no weights file {path}: check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"weights {path} cannot be read: damaged or cut short ({error}); get the file again"
        ) from error
    state = {
        name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    return state, metadata
