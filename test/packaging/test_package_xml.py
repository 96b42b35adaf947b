from __future__ import annotations

import configparser
import importlib
from pathlib import Path
from typing import Any

import pytest

import selavpr_core
from test.packaging.project import console_scripts
from test.test_architecture import imported

# The Python module of a ROS package that is called otherwise.
PROVIDERS = {"tf2_ros": "tf2_ros_py"}

ROS = {"rclpy", "ament_index_python", "cv_bridge", "tf2_ros", "launch", "launch_ros"}
ROS_ENDINGS = ("_msgs", "_srvs", "_interfaces")


@pytest.fixture(scope="module")
def package(project: Path) -> Any:
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="needs catkin_pkg")
    warnings: list[str] = []
    package = catkin_pkg.parse_package(str(project / "package.xml"), warnings=warnings)
    assert warnings == []
    return package


def test_it_is_a_valid_ament_python_package(package: Any, project: Path) -> None:
    package.validate()
    assert (package.name, package.package_format) == ("selavpr_ros", 3)
    assert package.get_build_type() == "ament_python"
    assert package.licenses == ["Apache-2.0"]
    assert (project / package.licenses[0].file).is_file()
    assert (project / "resource" / package.name).is_file()


def test_the_version_is_the_library_s(package: Any) -> None:
    assert package.version == selavpr_core.__version__


def test_every_ros_package_that_is_imported_is_a_dependency(package: Any, project: Path) -> None:
    files = [*(project / "selavpr_ros").rglob("*.py"), *(project / "launch").glob("*.py")]
    names = set().union(*(imported(file) for file in files))
    ros = {name for name in names if name in ROS or name.endswith(ROS_ENDINGS)}
    needed = {PROVIDERS.get(name, name) for name in ros}
    declared = {dependency.name for dependency in package.exec_depends}
    assert "rclpy" in needed
    assert needed - declared == set()


def test_scripts_go_where_ros2_run_looks(project: Path) -> None:
    config = configparser.ConfigParser()
    config.read(project / "setup.cfg")
    folder = "$base/lib/selavpr_ros"
    assert config["develop"]["script_dir"] == folder
    assert config["install"]["install_scripts"] == folder
    # The interpreter of the environment, not the one that happened to build.
    assert config["build_scripts"]["executable"] == "/usr/bin/env python3"


def test_every_executable_can_be_called(project: Path) -> None:
    for target in console_scripts(project).values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))
