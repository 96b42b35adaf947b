"""The fingerprint that ties a place map to the weights it was made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from selavpr_core.model.settings import ModelSettings
from selavpr_core.preprocessing import Preprocessing


def fingerprint(state: Mapping[str, Tensor], settings: ModelSettings) -> str:
    """Return 64 hexadecimal digits that stand for everything a descriptor depends on.

    It is the SHA-256 of the settings and the preprocessing as JSON and of each tensor of the
    state dict, in the order of their names: name, shape, values as little-endian float32. Counters
    (integers, such as `num_batches_tracked`) are left out. The same on every device.
    """
    digest = hashlib.sha256()
    described = {
        "settings": settings.to_json(),
        "preprocessing": Preprocessing(size=settings.input_size).to_json(),
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(state):
        tensor = state[name]
        if not tensor.is_floating_point():
            continue
        digest.update(f"\n{name} {list(tensor.shape)}\n".encode())
        values = tensor.detach().to("cpu", torch.float32).numpy()
        digest.update(np.ascontiguousarray(values, dtype="<f4").data)
    return digest.hexdigest()
