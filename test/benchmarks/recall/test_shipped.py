"""The weights that ship with the project, by the command that a user runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_shipped_weights_reach_their_recorded_recall(project: Path) -> None:
    """Recorded sets where ../shared is, rendered places everywhere."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.recall", "--check"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rendered" in done.stdout
