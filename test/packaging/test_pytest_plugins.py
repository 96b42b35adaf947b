from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


# Each by the name under which ROS 2 registers it. With launch_testing left out, launch_ros has a
# hook that pytest does not know.
@pytest.mark.parametrize("plugin", ["launch_testing", "launch_ros", "launch_pytest"])
def test_tests_run_beside_the_pytest_plugins_of_a_sourced_ros(
    plugin: str, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "of_ros.py").write_text("def pytest_pycollect_makemodule(path, parent): pass\n")
    registered = tmp_path / "of_ros-1.0.dist-info"
    registered.mkdir()
    (registered / "METADATA").write_text("Metadata-Version: 2.1\nName: of_ros\nVersion: 1.0\n")
    (registered / "entry_points.txt").write_text(f"[pytest11]\n{plugin} = of_ros\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "test/packaging/test_config.py"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert collected.returncode == 0, collected.stdout + collected.stderr
