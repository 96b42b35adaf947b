"""From checked tensors to a network; whatever does not fit is named in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from selavpr_core.errors import WeightsError
from selavpr_core.model.selavpr import SelaVPR
from selavpr_core.model.settings import ModelSettings

_NAMED = 3


def skeleton(settings: ModelSettings) -> SelaVPR:
    """Return a network whose tensors have shapes but no storage, to be filled by `build`."""
    with torch.device("meta"):
        return SelaVPR(settings)


def build(settings: ModelSettings, state: Mapping[str, Tensor]) -> SelaVPR:
    """Return a network in eval mode that owns the tensors of a checked state dict."""
    model = skeleton(settings)
    model.load_state_dict(state, assign=True)
    return model.eval()


def check_state(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], origin: str, preset: str
) -> None:
    """Raise WeightsError unless `state` has the names, shapes and kinds of number of `expected`.

    origin: what the message calls the weights; preset: what they were expected to be.
    """
    wrong = [
        f"{name} {_described(state[name])} instead of {_described(tensor)}"
        for name, tensor in expected.items()
        if name in state and _described(state[name]) != _described(tensor)
    ]
    complaints = [
        _listed(expected.keys() - state.keys(), "missing"),
        _listed(state.keys() - expected.keys(), "unexpected"),
        _listed(wrong, "of a wrong shape or type"),
    ]
    found = "; ".join(complaint for complaint in complaints if complaint)
    if found:
        raise WeightsError(f"weights {origin} do not fit the preset {preset}: {found}")


def _described(tensor: Tensor) -> str:
    kind = "float" if tensor.is_floating_point() else "integer"
    return f"{list(tensor.shape)} {kind}"


def _listed(names: Iterable[str], complaint: str) -> str:
    """Return "4 missing (a, b, c, ...)", or nothing for no names."""
    names = sorted(names)
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} {complaint} ({shown})" if names else ""
