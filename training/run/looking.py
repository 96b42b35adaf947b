"""Looking at what a network makes of images, without training it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from selavpr_core.model import SelaVPR


@contextmanager
def only_looking(model: SelaVPR) -> Iterator[None]:
    """Put all of a network into eval mode, and each part back into its own mode at the end."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
