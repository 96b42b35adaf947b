"""The progress bar of a run."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(title: str, total: int, done: int, *, unit: str, shown: bool) -> Any:
    """Return a bar that is there while it is worked, rarely redrawn where nobody watches."""
    # In a log every movement of the bar is a line of its own.
    interval = 0.5 if sys.stderr.isatty() else 60.0
    return tqdm(
        desc=title,
        total=total,
        initial=done,
        unit=unit,
        disable=not shown,
        mininterval=interval,
        delay=interval,
        dynamic_ncols=True,
        leave=False,
    )
