from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from selavpr_core.errors import MapError

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from selavpr_ros.nodes.ros.transitions import answering, survive_impossible_transitions

pytestmark = pytest.mark.ros

INACTIVE = LifecycleState("inactive", 2)


class Node:
    """A node with one transition, which raises what it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.failures: list[str] = []
        self.logged: list[str] = []
        self.services: list[Any] = []
        self._error = error

    @answering
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Be configured."""
        if self._error is not None:
            raise self._error
        return TransitionCallbackReturn.SUCCESS

    def fail(self, reason: str) -> None:
        self.failures.append(reason)

    def get_logger(self) -> Any:
        return SimpleNamespace(error=self.logged.append)


def test_what_succeeds_is_left_alone() -> None:
    node = Node()
    assert node.on_configure(INACTIVE) is TransitionCallbackReturn.SUCCESS
    assert node.on_configure.__doc__ == "Be configured."
    assert node.failures == []


def test_a_user_s_mistake_is_a_failure_with_its_reason() -> None:
    node = Node(MapError("there is no place map at /x"))
    assert node.on_configure(INACTIVE) is TransitionCallbackReturn.FAILURE
    assert node.failures == ["there is no place map at /x"]
    assert node.logged == []


def test_anything_else_is_an_error_with_its_traceback() -> None:
    node = Node(RuntimeError("out of luck"))
    assert node.on_configure(INACTIVE) is TransitionCallbackReturn.ERROR
    assert node.failures == ["on_configure failed: RuntimeError: out of luck"]
    (text,) = node.logged
    assert text.startswith("Traceback")
    assert "raise self._error" in text


def test_an_impossible_transition_is_answered() -> None:
    node: Any = Node()

    def change_state(request: Any, response: Any) -> Any:
        if request.transition.id == 3:
            raise rclpy_implementation.RCLError("no transition matching 3")
        response.success = True
        return response

    other = SimpleNamespace(srv_name="/node/get_state", callback=change_state)
    service = SimpleNamespace(srv_name="/node/change_state", callback=change_state)
    node.services = [other, service]
    survive_impossible_transitions(node)
    assert other.callback is change_state

    request = ChangeState.Request()
    request.transition.id = 1
    assert service.callback(request, ChangeState.Response()).success
    request.transition.id = 3
    assert not service.callback(request, ChangeState.Response()).success
    request.transition.label = "activate"
    service.callback(request, ChangeState.Response())
    assert node.logged == [
        "'transition 3' is not possible in the node's present state",
        "'activate' is not possible in the node's present state",
    ]
