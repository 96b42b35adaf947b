"""The weights that ship with the project, by the command that a user runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def rendered_places(cache: pytest.Cache) -> Path:
    """Where rendered places stay from one run of the tests to the next.

    The command renders them again for another renderer; here, for other libraries under it too.
    """
    return cache.mkdir(f"rendered-places-numpy-{np.__version__}-opencv-{cv2.__version__}")


def test_the_shipped_weights_reach_their_recorded_recall(
    project: Path, rendered_places: Path
) -> None:
    """Recorded sets where ../shared is, rendered places everywhere."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.recall", "--check", "--places", str(rendered_places)],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rendered" in done.stdout
