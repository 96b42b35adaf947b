from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from selavpr_ros.cli.main import main
from test.bags_on_disk import write_bag
from test.selavpr_ros.mapping.describing import picture

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def write_drive(path: Path, first: int = 0, seconds: int = 4, **options: Any) -> Path:
    """A bag of a drive north from 55.7 N 13.2 E at 4.2 m/s, one image and one fix a second."""
    stamps = [START + t * SECOND for t in range(seconds + 1)]
    options = {
        "images": [(stamp, picture(first + i, 96, 128)) for i, stamp in enumerate(stamps)],
        "fixes": [(s, 55.7 + 4.2 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(stamps)],
        "image_format": "jpeg",
        **options,
    }
    return write_bag(path, **options)


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bag `drive`, its map `campus` (tiny, untrained) and its images 0.png ... ."""
    folder = tmp_path_factory.mktemp("street")
    bag = write_drive(folder / "drive")
    arguments = ["build-map", str(bag), "--output", str(folder / "campus")]
    assert main([*arguments, "--weights", "random:tiny", "--device", "cpu"]) == 0
    for i in range(5):
        assert cv2.imwrite(
            str(folder / f"{i}.png"), np.ascontiguousarray(picture(i, 96, 128)[:, :, ::-1])
        )
    return folder


@pytest.fixture(scope="session")
def selavpr(project: Path) -> Command:
    """Runs the command in a process of its own."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "selavpr_ros.cli", *map(str, arguments)],
            **{"capture_output": True, **options},
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": str(project)},
        )

    return run
