"""The published weight files: training dictionaries with names of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from selavpr_core.model.settings import ModelSettings

# Published name of a branch's adapters and heads -> ours.
_ADAPTER_OWNERS = {"adapters": "float_branch", "adapters_hashing": "hash_branch"}
_ADAPTER_PARTS = {
    "D_fc1": "down",
    "D_fc2": "up",
    "branch1": "multi_conv.path1",
    "branch2": "multi_conv.path3",
    "branch3": "multi_conv.path5",
}
_HEAD_PARTS = {
    "aggregation.1.p": "float_branch.head.gem.p",
    "aggregation_hashing.1.p": "hash_branch.head.gem.p",
    "linear1": "float_branch.head.linear1",
    "linear2": "float_branch.head.linear2",
    "linear3": "hash_branch.head.linear1",
    "linear4": "hash_branch.head.linear2",
}
_ADAPTER_KEY = re.compile(
    r"backbone\.(adapters|adapters_hashing)\.(\d+)\.(D_fc1|D_fc2|branch[123])\.(.+)"
)


def translate_keys(state: Mapping[str, Tensor], settings: ModelSettings) -> dict[str, Tensor]:
    """Return the tensors of a published state dict under our names; unknown names stay."""
    return {
        _our_name(name, settings): tensor
        for name, tensor in state.items()
        if name != "backbone.mask_token"
    }


def _our_name(name: str, settings: ModelSettings) -> str:
    adapter = _ADAPTER_KEY.fullmatch(name)
    if adapter:
        owner, index, part, rest = adapter.groups()
        block = settings.adapted_blocks[int(index)]
        return f"{_ADAPTER_OWNERS[owner]}.adapters.{block}.{_ADAPTER_PARTS[part]}.{rest}"
    stem, _, last = name.rpartition(".")
    if name in _HEAD_PARTS:
        return _HEAD_PARTS[name]
    if stem in _HEAD_PARTS:
        return f"{_HEAD_PARTS[stem]}.{last}"
    return name
