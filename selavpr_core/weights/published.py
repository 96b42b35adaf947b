"""The published weight files, and DINOv2's own: pickles from which only tensors are taken."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selavpr_core.errors import WeightsError
from selavpr_core.model.settings import PRESETS, ModelSettings, preset_settings
from selavpr_core.weights.state import check_state, skeleton

# Only DINOv2's pretraining uses it; published files have it and our networks do not.
MASK_TOKEN = "mask_token"

_SIZES = {preset: preset_settings(preset) for preset in PRESETS}
_WIDTH_KEY = "backbone.norm.weight"
_BLOCK_NAME = re.compile(r"backbone\.blocks\.(\d+)\.")
_BRANCH_KEYS = {"float": "backbone.adapters.", "hash": "backbone.adapters_hashing."}

# Our names, and what the published files call the same tensors.
_ADAPTER_NAME = re.compile(r"(float|hash)_branch\.adapters\.(\d+)\.(.+)")
_ADAPTER_PARTS = {
    "down.": "D_fc1.",
    "up.": "D_fc2.",
    "multi_conv.path1.": "branch1.",
    "multi_conv.path3.": "branch2.",
    "multi_conv.path5.": "branch3.",
}
_HEAD_PARTS = {
    "float_branch.head.gem.p": "aggregation.1.p",
    "float_branch.head.linear1.": "linear1.",
    "float_branch.head.linear2.": "linear2.",
    "hash_branch.head.gem.p": "aggregation_hashing.1.p",
    "hash_branch.head.linear1.": "linear3.",
    "hash_branch.head.linear2.": "linear4.",
}

# What a damaged or hostile pickle can make the restricted unpickler raise.
_UNREADABLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


def read_published(path: Path) -> tuple[ModelSettings, dict[str, Tensor]]:
    """Return the settings and the state dict, under our names, of a published .pth file.

    The file is a training dictionary with `model_state_dict`, or that state dict alone; its keys
    may be prefixed `module.`. Preset and branches follow from shapes and names. Tensors come as
    float32 (counters as they are). Raises WeightsError where the file is missing, damaged, holds
    more than numbers, or fits no preset.
    """
    state = _read_tensors(path)
    settings = _infer_settings(state, str(path))
    expected = skeleton(settings).state_dict()
    published_names = {name: published_name(name, settings) for name in expected}
    check_state(
        state,
        {published_names[name]: tensor for name, tensor in expected.items()},
        str(path),
        settings.preset,
    )
    return settings, {name: _owned(state[theirs]) for name, theirs in published_names.items()}


def read_backbone(path: Path) -> dict[str, Tensor]:
    """Return the float32 state dict of a DINOv2 backbone file (DINOv2's own or timm's).

    Raises WeightsError where the file is missing, damaged, or holds more than numbers.
    """
    return {name: _owned(tensor) for name, tensor in _read_tensors(path).items()}


def published_name(name: str, settings: ModelSettings) -> str:
    """Return what the published files call a tensor of our state dict."""
    adapter = _ADAPTER_NAME.fullmatch(name)
    if adapter:
        branch, block, rest = adapter.groups()
        index = settings.adapted_blocks.index(int(block))
        for ours, theirs in _ADAPTER_PARTS.items():
            if rest.startswith(ours):
                return f"{_BRANCH_KEYS[branch]}{index}.{theirs}{rest.removeprefix(ours)}"
    for ours, theirs in _HEAD_PARTS.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def _infer_settings(state: Mapping[str, Tensor], origin: str) -> ModelSettings:
    branches = [
        branch
        for branch, prefix in _BRANCH_KEYS.items()
        if any(name.startswith(prefix) for name in state)
    ]
    if _WIDTH_KEY not in state or not branches:
        raise WeightsError(
            f"weights {origin} are no SelaVPR++ model: they have no "
            f"{_WIDTH_KEY if branches else 'side network'}; give a published SelaVPRplusplus file"
        )
    width = state[_WIDTH_KEY].numel()
    fitting = [preset for preset, settings in _SIZES.items() if settings.embed_dim == width]
    if not fitting:
        known = ", ".join(f"{preset} {settings.embed_dim}" for preset, settings in _SIZES.items())
        raise WeightsError(f"weights {origin} have {width} channels; presets have {known}")
    blocks = {match[1] for name in state if (match := _BLOCK_NAME.match(name))}
    # Of as many blocks, where two are as wide; what else differs is told tensor by tensor.
    preset = min(fitting, key=lambda name: abs(_SIZES[name].depth - len(blocks)))
    return preset_settings(preset, branches=branches)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict in a .pth file, by name."""
    if not path.is_file():
        raise WeightsError(f"no weights file {path}: check the path")
    try:
        with _numpy_values_ignored():
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except _UNREADABLE as error:
        forbidden = re.search(r"GLOBAL (\S+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and forbidden:
            raise WeightsError(
                f"weights {path} refused: the file holds {forbidden.group(1)}, which is not a "
                "weight and may run code; take the file from its publisher again"
            ) from error
        raise WeightsError(
            f"weights {path} cannot be read: damaged, cut short or no PyTorch file "
            f"({type(error).__name__}); fetch the file again"
        ) from error
    state = content.get("model_state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise WeightsError(f"weights {path} hold no state dict; give a published file")
    strays = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strays:
        raise WeightsError(
            f"weights {path} hold no state dict: {len(strays)} entries are no tensors "
            f"({', '.join(map(str, strays[:3]))}); give a published file"
        )
    tensors = {str(name).removeprefix("module."): tensor for name, tensor in state.items()}
    for name in (MASK_TOKEN, f"backbone.{MASK_TOKEN}"):
        tensors.pop(name, None)
    return tensors


def _owned(tensor: Tensor) -> Tensor:
    """Return a contiguous copy in memory of its own, floats as float32: the file may go away."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.empty(tensor.shape, dtype=dtype).copy_(tensor)


class _Ignored:
    """Stands in for a numpy value while unpickling: runs nothing, keeps nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def _stand_in(module: str, name: str) -> type:
    return type(name, (_Ignored,), {"__module__": module})


# A training dictionary also holds its recalls, in the spelling of the numpy that wrote it.
# Pickle writes their bytes through _codecs.encode, which torch 2.4 does not know by itself.
_NUMPY_STAND_INS: list[Any] = [
    _stand_in("_codecs", "encode"),
    _stand_in("numpy", "ndarray"),
    _stand_in("numpy", "dtype"),
    _stand_in("numpy.core.multiarray", "_reconstruct"),
    _stand_in("numpy.core.multiarray", "scalar"),
    _stand_in("numpy._core.multiarray", "_reconstruct"),
    _stand_in("numpy._core.multiarray", "scalar"),
]


@contextmanager
def _numpy_values_ignored() -> Iterator[None]:
    """Let `torch.load(weights_only=True)` pass over numpy arrays and scalars.

    The names it meets resolve to stand-ins, so that not even numpy's own code runs.
    """
    # The context manager torch.serialization.safe_globals came with torch 2.5.
    before = list(torch.serialization.get_safe_globals())
    torch.serialization.add_safe_globals(_NUMPY_STAND_INS)
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
