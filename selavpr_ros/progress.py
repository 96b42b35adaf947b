"""The progress bar of everything that takes a while."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from tqdm import tqdm

DELAY = 2.0
"""Seconds that work must take before it is worth a bar."""


def progress_bar(
    description: str,
    total: int | None,
    unit: str,
    shown: bool = True,
    delay: float = DELAY,
    scaled: bool = False,
) -> tqdm[Any]:
    """Return a bar on stderr, drawn where that is a terminal and gone when it is closed.

    Args:
        description: what is being done.
        total: steps, None where nobody knows.
        unit: what a step is.
        shown: False for none.
        delay: seconds before the bar appears.
        scaled: whether steps are written as for example 12.3M.
    """
    terminal = shutil.get_terminal_size()
    return tqdm(
        desc=description,
        total=total,
        unit=f" {unit}",
        unit_scale=scaled,
        leave=False,
        delay=delay,
        # tqdm alone draws nothing on a terminal that does not know its size (docker exec -t).
        ncols=terminal.columns,
        nrows=terminal.lines,
        file=sys.stderr,
        disable=None if shown else True,  # None: where stderr is no terminal
    )
