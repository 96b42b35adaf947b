"""What rclpy's lifecycle nodes leave out: answers where a transition fails or does not exist."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from selavpr_core.errors import SelaVPRError

NodeT = TypeVar("NodeT", bound=Any)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def answering(change: Transition[NodeT]) -> Transition[NodeT]:
    """Make a transition answer every error: rclpy would swallow it without a word.

    The node's method `fail` is told the reason. A user's mistake is FAILURE; anything else is
    ERROR, with its traceback in the log.
    """

    @functools.wraps(change)
    def answered(node: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return change(node, state)
        except SelaVPRError as error:
            node.fail(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # outermost frame: beyond it the error would be lost
            node.fail(f"{change.__name__} failed: {type(error).__name__}: {error}")
            node.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR

    return answered


def survive_impossible_transitions(node: LifecycleNode) -> None:
    """Answer a request for a transition that the present state does not have with success=False.

    rclpy raises there, out of the executor: one mistyped `ros2 lifecycle set` would end the node.
    """
    service = next(s for s in node.services if s.srv_name.endswith("/change_state"))
    change_state = service.callback

    def answered(request: Any, response: Any) -> Any:
        try:
            return change_state(request, response)
        except rclpy_implementation.RCLError:
            wanted = request.transition.label or f"transition {request.transition.id}"
            node.get_logger().error(f"{wanted!r} is not possible in the node's present state")
            response.success = False
            return response

    service.callback = answered
