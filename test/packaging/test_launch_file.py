from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

from selavpr_ros.nodes.localization.parameters import PARAMETERS
from selavpr_ros.nodes.loop_closure.parameters import LOOP_PARAMETERS
from selavpr_ros.nodes.ros.parameter_table import Parameter
from test.packaging.project import calls, console_scripts, keyword

SHARED = {
    *("image", "image_transport", "weights", "device", "precision", "params_file"),
    *("namespace", "use_sim_time", "log_level", "autostart", "rviz"),
}


class Launch(NamedTuple):
    """A launch file, together with what the launch files share, and what it should have."""

    tree: ast.Module
    name: str
    arguments: set[str]
    table: dict[str, Parameter]
    executable: str
    files: list[str]


@pytest.fixture(scope="module", params=["localize", "loop_closure"])
def launch(request: pytest.FixtureRequest, project: Path) -> Launch:
    shared = (project / "selavpr_ros" / "nodes" / "ros" / "launching.py").read_text()
    own = (project / "launch" / f"{request.param}.launch.py").read_text()
    tree = ast.parse(shared)
    tree.body += ast.parse(own).body
    table: tuple[Parameter, ...]
    if request.param == "localize":
        own_arguments = {"map", "odom", "filter", "publish_tf"}
        table, files = PARAMETERS, ["config/localize.rviz", "config/localize.yaml"]
        executable = "localization_node"
    else:
        own_arguments = {"map", "extend_map", "save_to", "odom", "camera_info"}
        table, files = LOOP_PARAMETERS, ["config/loop_closure.rviz", "config/loop_closure.yaml"]
        executable = "loop_closure_node"
    rows = {parameter.name: parameter for parameter in table}
    return Launch(tree, request.param, SHARED | own_arguments, rows, executable, files)


@pytest.fixture(scope="module")
def tree(launch: Launch) -> ast.Module:
    return launch.tree


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


def test_arguments_are_declared_with_a_description(tree: ast.Module, launch: Launch) -> None:
    declared = calls(tree, "DeclareLaunchArgument")
    assert {text(call.args[0]) for call in declared} == launch.arguments
    for call in declared:
        assert text(keyword(call, "description")).endswith(".")
        assert keyword(call, "default_value") is not None


def test_only_declared_arguments_are_used(tree: ast.Module, launch: Launch) -> None:
    used = {
        call.args[0].value
        for call in calls(tree, "LaunchConfiguration")
        if isinstance(call.args[0], ast.Constant)
    }
    (call,) = calls(tree, "lifecycle_node")
    topics = set(ast.literal_eval(call.args[3]))
    assert used | topics | set(passed_on(tree)) | {"use_sim_time"} == launch.arguments


def test_arguments_that_are_parameters_have_their_type_and_choices(
    tree: ast.Module, launch: Launch
) -> None:
    declared = {text(call.args[0]): call for call in calls(tree, "DeclareLaunchArgument")}
    for name, kind in passed_on(tree).items():
        parameter = launch.table[name]
        assert kind == type(parameter.default).__name__
        # Empty leaves the value to the parameter file.
        assert text(keyword(declared[name], "default_value")) == ""
        if parameter.choices:
            choices = keyword(declared[name], "choices")
            assert choices is not None
            assert ast.literal_eval(choices) == ["", *parameter.choices]
    assert set(passed_on(tree)) == launch.arguments & set(launch.table)


def test_use_sim_time_is_up_to_the_parameter_file_unless_it_is_given(tree: ast.Module) -> None:
    declared = {text(call.args[0]): call for call in calls(tree, "DeclareLaunchArgument")}
    # It once was false by default, which a parameter file that says true did not change.
    assert text(keyword(declared["use_sim_time"], "default_value")) == ""


def test_executables_exist(launch: Launch, project: Path) -> None:
    (call,) = calls(launch.tree, "lifecycle_node")
    assert text(call.args[1]) == launch.executable
    assert launch.executable in console_scripts(project)
    (node,) = calls(launch.tree, "LifecycleNode")
    assert text(keyword(node, "package")) == "selavpr_ros"
    (rviz,) = calls(launch.tree, "Node")
    assert text(keyword(rviz, "package")) == text(keyword(rviz, "executable")) == "rviz2"


def test_files_it_takes_from_the_share_folder_exist(
    tree: ast.Module, launch: Launch, project: Path
) -> None:
    files = [
        f"{node.left.right.value}/{node.right.value}"
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.left, ast.BinOp)
        and isinstance(node.left.right, ast.Constant)
        and isinstance(node.right, ast.Constant)
    ]
    assert sorted(files) == launch.files
    for file in files:
        assert (project / file).is_file()


def test_it_can_be_described_where_launch_is_installed(launch: Launch, project: Path) -> None:
    pytest.importorskip("launch_ros", reason="needs launch_ros: it comes with ROS 2 alone")
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    description = get_launch_description_from_python_launch_file(
        str(project / "launch" / f"{launch.name}.launch.py")
    )
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(arguments) == launch.arguments
    # Python's spelling is what many launch files pass on to those that they include.
    for name in ("use_sim_time", "autostart", "rviz"):
        assert {"true", "false", "True", "False"} <= set(arguments[name].choices or ())


def test_a_node_that_is_ended_while_it_is_configured_is_not_activated() -> None:
    pytest.importorskip("launch_ros", reason="needs launch_ros: it comes with ROS 2 alone")
    from launch import LaunchContext

    from selavpr_ros.nodes.ros.launching import lifecycle_node

    context = LaunchContext()
    context.launch_configurations.update(image="image", params_file="", use_sim_time="")
    register, _, _ = lifecycle_node(context, "localization_node", {}, [])
    (activate,) = register.event_handler.entities
    assert len(activate.execute(context)) == 1
    # Launch raised over a request that it could no longer send, and Ctrl-C gave code 1.
    context._set_is_shutdown(True)
    assert activate.execute(context) == []
