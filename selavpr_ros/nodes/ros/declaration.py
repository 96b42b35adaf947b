"""The table of parameters as ROS parameters: descriptors, declaration, refusal of bad values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from selavpr_ros.nodes.ros.parameter_table import Change, Parameter, table_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_ROS_TYPES = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}

SettingsT = TypeVar("SettingsT", bound="DataclassInstance")


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


def declare_parameters(node: Node, table: Iterable[Parameter]) -> dict[str, str]:
    """Declare the parameters of a table; returns the problem with each value that is unusable.

    Such a parameter is declared with its default, where rclpy would have ended the process: it
    can be mended while the node runs.
    """
    problems = {}
    overrides = _overrides(node)
    for parameter in table:
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


def read_settings(node: Node, kind: type[SettingsT]) -> SettingsT:
    """The present values of all parameters, as settings of this class."""
    return kind(**{p.name: node.get_parameter(p.name).value for p in table_of(kind)})


def checked_change(
    table: Iterable[Parameter], unconfigured: bool, parameters: Sequence[RosParameter]
) -> SetParametersResult:
    """Accept or refuse new values, with a reason that says what would be accepted.

    Parameters that are not in the table, such as use_sim_time, are not judged here.
    """
    rows = {row.name: row for row in table}
    for parameter in parameters:
        row = rows.get(parameter.name)
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


def with_changes(settings: SettingsT, parameters: Sequence[RosParameter]) -> SettingsT:
    """The settings with accepted new values in them."""
    changes = {p.name: p.value for p in parameters if hasattr(settings, p.name)}
    return dataclasses.replace(settings, **changes)
