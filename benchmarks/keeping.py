"""Keeping what took long to make, for the next run of a benchmark."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import EvaluationError


def keep_columns(kept: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of any shape to a file of numpy's (.npz), which is there whole or not at all.

    Raises EvaluationError where it, or its folder, cannot be written.
    """
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez(unfinished, **dict[str, Any](columns))
        unfinished.replace(kept)
    except OSError as error:
        raise EvaluationError(f"{kept} cannot be written: {error.strerror or error}") from error
