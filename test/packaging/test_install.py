from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from selavpr_core.weights import shipped
from test.selavpr_ros.nodes.live import (
    PATIENCE,
    Probe,
    RemoteNode,
    own_domain,
    ros_environment,
)

PARTS = (
    *("package.xml", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"),
    *("resource", "launch", "config", "selavpr_core", "selavpr_ros", "test", "examples"),
)


@pytest.fixture(scope="module")
def installed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The install folder of a workspace in which `colcon build` was run on the project."""
    if importlib.util.find_spec("colcon_core") is None:
        pytest.skip("needs colcon: pip install colcon-common-extensions")
    workspace = tmp_path_factory.mktemp("workspace")
    source = workspace / "src" / "selavpr_ros"
    source.mkdir(parents=True)
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        path = project / part
        if path.is_dir():
            shutil.copytree(path, source / part, ignore=leave_out)
        elif path.is_file():
            shutil.copy(path, source / part)
    build = subprocess.run(
        [sys.executable, "-m", "colcon", "--log-base", "log", "build"],
        cwd=workspace,
        env=with_this_python(dict(os.environ)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    assert "1 package finished" in build.stdout
    return workspace / "install"


def with_this_python(environment: dict[str, str]) -> dict[str, str]:
    """The environment in which `python3` is the Python that runs the tests."""
    folder = str(Path(sys.executable).parent)
    return environment | {"PATH": os.pathsep.join([folder, environment["PATH"]])}


def test_the_share_folder_holds_launch_and_config(installed: Path, project: Path) -> None:
    share = installed / "selavpr_ros" / "share"
    marker = share / "ament_index" / "resource_index" / "packages" / "selavpr_ros"
    assert marker.is_file()
    assert (share / "selavpr_ros" / "package.xml").is_file()
    for folder in ("launch", "config"):
        there = {path.name for path in (share / "selavpr_ros" / folder).iterdir()}
        assert there == {path.name for path in (project / folder).iterdir() if path.is_file()}


def test_nothing_with_a_common_name_is_installed(installed: Path) -> None:
    (packages,) = (installed / "selavpr_ros" / "lib").glob("python3*/site-packages")
    folders = {path.name for path in packages.iterdir() if path.suffix != ".egg-info"}
    assert folders == {"selavpr_core", "selavpr_ros"}


def test_executables_lie_where_ros2_run_looks(installed: Path) -> None:
    folder = installed / "selavpr_ros" / "lib" / "selavpr_ros"
    assert {path.name for path in folder.iterdir()} >= {"localization_node", "selavpr"}
    for path in folder.iterdir():
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env python3\n")


def test_the_small_trained_model_is_installed(installed: Path) -> None:
    source = shipped.shipped_file()
    (weights,) = (installed / "selavpr_ros" / "lib").rglob(source.name)
    assert weights.parts[-3:-1] == ("selavpr_core", "weights")
    assert weights.read_bytes() == source.read_bytes()


@pytest.mark.ros
def test_the_installed_node_runs_once_the_workspace_is_sourced(installed: Path) -> None:
    pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")
    node = installed / "selavpr_ros" / "lib" / "selavpr_ros" / "localization_node"
    with own_domain() as domain:
        # Where the package index and the package itself are found is up to setup.bash alone.
        environment = with_this_python(ros_environment(domain))
        environment.pop("PYTHONPATH")
        process = subprocess.Popen(
            ["bash", "-c", f'source "{installed}/setup.bash" && exec "{node}"'],
            env=environment,
            cwd=installed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "unconfigured" in line:
                    break
            process.send_signal(signal.SIGINT)
            lines.append(process.communicate(timeout=PATIENCE)[0])
        finally:
            process.kill()
    assert process.returncode == 0, "".join(lines)
    assert "unconfigured: configure and activate it" in "".join(lines)


@pytest.mark.ros
def test_launch_arguments_go_before_the_parameter_file(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("ros2launch", reason="needs ros2launch: it comes with ROS 2 alone")
    file = tmp_path / "robot.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n"
        "    use_sim_time: true\n    filter: sequence\n    mode: code\n    publish_tf: true\n"
    )
    command = (
        "ros2 launch selavpr_ros localize.launch.py namespace:=robot map:=2024 filter:=none "
        f'publish_tf:=False "params_file:={file}"'
    )
    with own_domain() as domain:
        environment = with_this_python(ros_environment(domain)) | {"ROS_LOG_DIR": str(tmp_path)}
        process = subprocess.Popen(
            ["bash", "-c", f'source "{installed}/setup.bash" && exec {command}'],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        probe = Probe(domain)
        lines = []
        try:
            node = RemoteNode(probe, "/robot/localization_node")
            names = ("use_sim_time", "map", "filter", "mode", "publish_tf")
            values = node.parameters(*names)
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if "Failed to make transition" in line:
                    break
            process.send_signal(signal.SIGINT)
            lines.append(process.communicate(timeout=PATIENCE)[0])
        finally:
            with suppress(ProcessLookupError):  # it ended, and the node with it
                os.killpg(process.pid, signal.SIGKILL)
            probe.close()
    output = "".join(lines)
    assert values == dict(zip(names, (True, "2024", "none", "code", False), strict=True)), output
    assert output.count("there is no place map at 2024") == 1
    assert "Traceback" not in output
    assert process.returncode == 0, output
