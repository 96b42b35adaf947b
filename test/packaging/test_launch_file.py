from __future__ import annotations

import ast
from pathlib import Path

import pytest

from selavpr_ros.nodes.parameters import PARAMETERS
from test.packaging.project import calls, console_scripts, keyword

ARGUMENTS = {
    *("map", "image", "image_transport", "weights", "device", "precision", "params_file"),
    *("namespace", "use_sim_time", "log_level", "autostart", "rviz", "odom", "publish_tf"),
    "filter",
}
TABLE = {parameter.name: parameter for parameter in PARAMETERS}


@pytest.fixture(scope="module")
def tree(project: Path) -> ast.Module:
    return ast.parse((project / "launch" / "localize.launch.py").read_text())


def text(node: ast.expr | None) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def passed_on(tree: ast.Module) -> dict[str, str]:
    """Launch argument -> name of its Python type, for those that are node parameters."""
    (table,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "PARAMETERS"
    ]
    assert isinstance(table, ast.Dict)
    return {
        text(key): value.id
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(value, ast.Name)
    }


def test_arguments_are_declared_with_a_description(tree: ast.Module) -> None:
    declared = calls(tree, "DeclareLaunchArgument")
    assert {text(call.args[0]) for call in declared} == ARGUMENTS
    for call in declared:
        assert text(keyword(call, "description")).endswith(".")
        assert keyword(call, "default_value") is not None


def test_only_declared_arguments_are_used(tree: ast.Module) -> None:
    used = {
        call.args[0].value
        for call in calls(tree, "LaunchConfiguration")
        if isinstance(call.args[0], ast.Constant)
    }
    assert used | set(passed_on(tree)) == ARGUMENTS


def test_arguments_that_are_parameters_have_their_type_and_choices(tree: ast.Module) -> None:
    declared = {text(call.args[0]): call for call in calls(tree, "DeclareLaunchArgument")}
    for name, kind in passed_on(tree).items():
        parameter = TABLE[name]
        assert kind == type(parameter.default).__name__
        # Empty leaves the value to the parameter file.
        assert text(keyword(declared[name], "default_value")) == ""
        if parameter.choices:
            choices = keyword(declared[name], "choices")
            assert choices is not None
            assert ast.literal_eval(choices) == ["", *parameter.choices]
    assert set(passed_on(tree)) == ARGUMENTS & set(TABLE)


def test_executables_exist(tree: ast.Module, project: Path) -> None:
    scripts = console_scripts(project)
    own = [c for c in calls(tree, "LifecycleNode") if text(keyword(c, "package")) == "selavpr_ros"]
    assert [text(keyword(call, "executable")) for call in own] == ["localization_node"]
    assert "localization_node" in scripts
    (rviz,) = calls(tree, "Node")
    assert text(keyword(rviz, "package")) == text(keyword(rviz, "executable")) == "rviz2"


def test_files_it_takes_from_the_share_folder_exist(tree: ast.Module, project: Path) -> None:
    files = [
        f"{node.left.right.value}/{node.right.value}"
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.left, ast.BinOp)
        and isinstance(node.left.right, ast.Constant)
        and isinstance(node.right, ast.Constant)
    ]
    assert sorted(files) == ["config/localize.rviz", "config/localize.yaml"]
    for file in files:
        assert (project / file).is_file()


def test_it_can_be_described_where_launch_is_installed(project: Path) -> None:
    pytest.importorskip("launch_ros", reason="needs launch_ros: it comes with ROS 2 alone")
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    description = get_launch_description_from_python_launch_file(
        str(project / "launch" / "localize.launch.py")
    )
    assert {argument.name for argument in description.get_launch_arguments()} == ARGUMENTS
