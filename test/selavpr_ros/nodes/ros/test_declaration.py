from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from selavpr_ros.nodes.ros.parameter_table import Change, parameter, table_of

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rclpy.parameter import Parameter as RosParameter

from selavpr_ros.nodes.ros.declaration import (
    checked_change,
    declare_parameters,
    descriptor,
    read_settings,
    undeclared_parameters,
    with_changes,
)

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Settings:
    """One parameter of each type."""

    device: str = parameter("auto", "Where it runs.", choices=("auto", "cpu"))
    candidates: int = parameter(100, "How many.", bounds=(1, 500))
    timeout: float = parameter(5.0, "How long.", Change.AT_ONCE, bounds=(0.1, 60.0))
    rectified: bool = parameter(False, "Whether.")


TABLE = table_of(Settings)


class Node:
    """The parameters of a node, with what a user gave."""

    def __init__(self, **given: Any) -> None:
        self._parameter_overrides = {
            name: RosParameter(name, value=value) for name, value in given.items()
        }
        self.values: dict[str, Any] = {}
        self.descriptors: dict[str, ParameterDescriptor] = {}

    def declare_parameter(
        self, name: str, default: Any, described: ParameterDescriptor, ignore_override: bool
    ) -> None:
        given = {} if ignore_override else self._parameter_overrides
        self.values[name] = given[name].value if name in given else default
        self.descriptors[name] = described

    def has_parameter(self, name: str) -> bool:
        return name in self.values

    def get_parameter(self, name: str) -> Any:
        return SimpleNamespace(value=self.values[name])


def changes(**values: Any) -> list[RosParameter]:
    return [RosParameter(name, value=value) for name, value in values.items()]


def test_a_descriptor_has_all_of_a_row() -> None:
    device, candidates, timeout, rectified = (descriptor(row) for row in TABLE)
    assert (device.name, device.type) == ("device", ParameterType.PARAMETER_STRING)
    assert device.additional_constraints == "one of: auto, cpu"
    assert device.description == (
        "Where it runs. Can be set while the node is unconfigured; takes effect when it is "
        "configured."
    )
    (whole,) = candidates.integer_range
    assert (candidates.type, whole.from_value, whole.to_value) == (
        ParameterType.PARAMETER_INTEGER,
        1,
        500,
    )
    (real,) = timeout.floating_point_range
    assert (timeout.type, real.from_value, real.to_value) == (
        ParameterType.PARAMETER_DOUBLE,
        0.1,
        60.0,
    )
    assert timeout.description == "How long. Can be set at run time, at once."
    assert rectified.type == ParameterType.PARAMETER_BOOL


def test_what_the_user_gave_is_declared_and_what_does_not_fit_is_named() -> None:
    node: Any = Node(candidates=20, timeout=1, devize="cpu")
    problems = declare_parameters(node, TABLE)
    assert node.values == {"device": "auto", "candidates": 20, "timeout": 5.0, "rectified": False}
    assert problems == {
        "timeout": "parameter timeout is 1 (integer) but must be of type double: write 1.0"
    }
    assert undeclared_parameters(node) == ["devize"]
    assert set(node.descriptors) == set(vars(Settings()))
    assert read_settings(node, Settings) == Settings(candidates=20)


def test_changes_that_fit_are_accepted() -> None:
    new = changes(device="cpu", candidates=7, timeout=2.0, rectified=True)
    assert checked_change(TABLE, True, new).successful
    assert with_changes(Settings(), new) == Settings("cpu", 7, 2.0, True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"candidates": 0}, "candidates is 0 but must be in the range 1 to 500"),
        ({"timeout": 1}, "write 1.0"),
        ({"device": "cpus"}, "did you mean cpu?"),
        ({"timeout": 2.0, "candidates": 501}, "candidates is 501"),
    ],
)
def test_one_that_does_not_fit_refuses_all(values: dict[str, Any], reason: str) -> None:
    result = checked_change(TABLE, True, changes(**values))
    assert not result.successful
    assert reason in result.reason


def test_what_takes_effect_when_configured_is_refused_afterwards() -> None:
    result = checked_change(TABLE, False, changes(device="cpu"))
    assert not result.successful
    assert "device can be set only while the node is unconfigured" in result.reason
    assert checked_change(TABLE, False, changes(timeout=2.0)).successful


def test_parameters_of_others_are_not_judged() -> None:
    others = changes(use_sim_time=True)
    assert checked_change(TABLE, False, others).successful
    assert with_changes(Settings(), others) == Settings()
