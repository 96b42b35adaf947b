"""Who may import whom, held against the imports of every file (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROS = {
    "rclpy",
    "cv_bridge",
    "tf2_ros",
    "sensor_msgs",
    "geometry_msgs",
    "nav_msgs",
    "std_msgs",
    "std_srvs",
    "visualization_msgs",
    "diagnostic_msgs",
    "lifecycle_msgs",
    "builtin_interfaces",
}
FORBIDDEN = {
    "selavpr_core": ROS | {"selavpr_ros", "training", "examples", "benchmarks", "test"},
    "selavpr_ros": {"training", "examples", "benchmarks", "test"},
    "training": ROS | {"selavpr_ros", "examples", "benchmarks", "test"},
}


def imported(path: Path) -> set[str]:
    """Return the top-level names of all modules that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_only_what_lies_below_it(project: Path, package: str) -> None:
    files = sorted((project / package).rglob("*.py"))
    assert files
    offences = {str(f.relative_to(project)): imported(f) & FORBIDDEN[package] for f in files}
    assert not {file: names for file, names in offences.items() if names}


def test_only_nodes_import_ros(project: Path) -> None:
    files = sorted((project / "selavpr_ros").rglob("*.py"))
    outside = [f for f in files if "nodes" not in f.relative_to(project / "selavpr_ros").parts]
    # images.py asks the distribution's cv_bridge for encodings that it does not know itself.
    offences = {str(f.relative_to(project)): imported(f) & (ROS - {"cv_bridge"}) for f in outside}
    assert not {file: names for file, names in offences.items() if names}


# Inside training/ the data flow one way; every part may import training's errors and images.
ALLOWED_IN_TRAINING = {
    "datasets": set(),
    "index": {"datasets"},
    "batches": {"index"},
    "losses": set(),
    "distillation": set(),
    "evaluation": {"datasets"},
    "report": {"datasets", "evaluation"},
    "run": {"index", "batches", "losses", "distillation", "strategies", "evaluation"},
}


def training_parts_imported(path: Path) -> set[str]:
    """Return the parts of training/ that a file imports, wherever in the file."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from training import errors` names the part after the import.
            names = [a.name for a in node.names] if node.module == "training" else [""]
            modules |= {f"{node.module}.{name}" for name in names}
    split = [module.split(".") for module in modules]
    return {parts[1] for parts in split if parts[0] == "training" and len(parts) > 1}


@pytest.mark.parametrize("part", ALLOWED_IN_TRAINING)
def test_the_data_flow_one_way_in_training(project: Path, part: str) -> None:
    files = sorted((project / "training" / part).rglob("*.py"))
    assert files
    allowed = ALLOWED_IN_TRAINING[part] | {part, "errors", "images"}
    offences = {str(f.relative_to(project)): training_parts_imported(f) - allowed for f in files}
    assert not {file: names for file, names in offences.items() if names}
