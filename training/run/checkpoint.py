"""What a run writes to go on from: whole files, never half of one."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selavpr_core.model import SelaVPR
from selavpr_core.storage.durable import publish
from training.errors import TrainingError

_FORMAT = "selavpr training checkpoint 1"


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a checkpoint by a new one, durably; a crash at any moment leaves one of the two.

    content: tensors, numbers, text, and lists and dictionaries of these. Raises TrainingError
    where it cannot be written.
    """
    aside = path.with_name(f"{path.name}.part")
    try:
        with aside.open("wb") as file:
            torch.save({"format": _FORMAT, **content}, file)
        publish(aside, path)
    except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into the latter
        reason = str(error).splitlines()[0]
        raise TrainingError(f"checkpoint {path} cannot be written: {reason}") from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's content, its tensors on the CPU; no code in it is run.

    Raises TrainingError where it is missing, damaged or of another kind.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"checkpoint {path} cannot be read: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise TrainingError(f"{path} is no checkpoint of this program's version")
    return content


def frozen_names(model: SelaVPR) -> set[str]:
    """Return the names of the parameters that are not trained.

    They are not in the checkpoints: a run that goes on takes them from where it took them at the
    start, and `frozen_digest` says whether they are still the same.
    """
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def changing_state(model: SelaVPR) -> dict[str, Tensor]:
    """Return the trained parameters, and every buffer, by name."""
    frozen = frozen_names(model)
    return {name: t for name, t in model.state_dict().items() if name not in frozen}


def restore_state(model: SelaVPR, state: Mapping[str, Tensor]) -> None:
    """Put back what `changing_state` returned; TrainingError where it is of another network."""
    expected = changing_state(model)
    if {k: v.shape for k, v in expected.items()} != {k: v.shape for k, v in state.items()}:
        raise TrainingError("the checkpoint is of another network than the configuration builds")
    model.load_state_dict(state, strict=False)


def frozen_digest(model: SelaVPR) -> str:
    """Return the sha256 of the parameters that are not trained, names included."""
    digest = hashlib.sha256()
    parameters = dict(model.named_parameters())
    for name in sorted(frozen_names(model)):
        digest.update(name.encode())
        values = parameters[name].detach().to("cpu", torch.float32).contiguous().numpy()
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
