"""The table of parameters as ROS parameters: descriptors, declaration, refusal of bad values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from selavpr_ros.nodes.parameters import PARAMETERS, Change, Parameter, Settings

_ROS_TYPES = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}
_TABLE = {parameter.name: parameter for parameter in PARAMETERS}


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """What `ros2 param describe` shows of a parameter."""
    result = ParameterDescriptor(
        name=parameter.name,
        type=_ROS_TYPES[type(parameter.default)],
        description=f"{parameter.description} Can be set {parameter.change.value}.",
        additional_constraints=parameter.limits,
    )
    if parameter.bounds is not None:
        low, high = parameter.bounds
        if isinstance(parameter.default, float):
            result.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            result.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return result


def declare_parameters(node: Node) -> dict[str, str]:
    """Declare all parameters; returns the problem with each value that was given and is unusable.

    Such a parameter is declared with its default, where rclpy would have ended the process: it
    can be mended while the node runs.
    """
    problems = {}
    overrides = _overrides(node)
    for parameter in PARAMETERS:
        problem = None
        if parameter.name in overrides:
            problem = parameter.problem(overrides[parameter.name].value)
        node.declare_parameter(
            parameter.name,
            parameter.default,
            descriptor(parameter),
            ignore_override=problem is not None,
        )
        if problem is not None:
            problems[parameter.name] = problem
    return problems


def undeclared_parameters(node: Node) -> list[str]:
    """Names that the user gave by file or argument and that no parameter of the node has."""
    return [name for name in _overrides(node) if not node.has_parameter(name)]


def _overrides(node: Node) -> dict[str, RosParameter]:
    """The parameters that the user gave, declared or not."""
    # rclpy has no public way to ask for those that nothing has declared.
    overrides: dict[str, RosParameter] = node._parameter_overrides
    return overrides


def read_settings(node: Node) -> Settings:
    """The present values of all parameters."""
    return Settings(**{p.name: node.get_parameter(p.name).value for p in PARAMETERS})


def checked_change(unconfigured: bool, parameters: Sequence[RosParameter]) -> SetParametersResult:
    """Accept or refuse new values, with a reason that says what would be accepted.

    Parameters that are not in the table, such as use_sim_time, are not judged here.
    """
    for parameter in parameters:
        row = _TABLE.get(parameter.name)
        if row is None:
            continue
        problem = row.problem(parameter.value)
        if problem is None and row.change is Change.ON_CONFIGURE and not unconfigured:
            problem = (
                f"parameter {row.name} can be set only while the node is unconfigured: deactivate "
                "and clean it up first"
            )
        if problem is not None:
            return SetParametersResult(successful=False, reason=problem)
    return SetParametersResult(successful=True)


def with_changes(settings: Settings, parameters: Sequence[RosParameter]) -> Settings:
    """The settings with accepted new values in them."""
    changes = {p.name: p.value for p in parameters if p.name in _TABLE}
    return dataclasses.replace(settings, **changes)
