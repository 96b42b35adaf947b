"""Weight files of the published layout, made from a network of ours."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR
from selavpr_core.weights.published import published_name


def published_state(model: SelaVPR) -> dict[str, Tensor]:
    """Return the state dict as the published files hold it, the mask token included."""
    state = {
        f"module.{published_name(name, model.settings)}": tensor
        for name, tensor in model.state_dict().items()
    }
    state["module.backbone.mask_token"] = torch.zeros(1, model.settings.embed_dim)
    return state


def training_dictionary(state: dict[str, Tensor], **changes: Any) -> dict[str, Any]:
    """Return what the published training saves around a state dict."""
    return {
        "epoch_num": 7,
        "model_state_dict": state,
        "optimizer_state_dict": {"state": {0: {"step": torch.tensor(9.0)}}, "param_groups": [{}]},
        "recalls": np.array([89.5, 94.25, 95.0]),
        "best_r5": np.float64(94.25),
        "not_improved_num": 0,
        **changes,
    }


def respelled(source: Path, target: Path, numpy_core: str) -> Path:
    """Copy a .pth file, with numpy's inner module spelled as another major version spells it."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as written:
        for entry in read.infolist():
            data = read.read(entry)
            if entry.filename.endswith("data.pkl"):
                for spelling in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
                    data = data.replace(spelling, b"numpy.\0.multiarray")
                data = data.replace(b"\0.multiarray", f"{numpy_core}.multiarray".encode())
                assert f"cnumpy.{numpy_core}.multiarray\n_reconstruct\n".encode() in data
                assert f"cnumpy.{numpy_core}.multiarray\nscalar\n".encode() in data
            written.writestr(entry, data)
    return target
