"""The way to tf2, which not every installation has."""

from __future__ import annotations

from typing import Any

from selavpr_core.errors import SelaVPRError


class TransformsUnavailableError(SelaVPRError):
    """A transform is to be published and tf2_ros is not installed."""


def transform_broadcaster(node: Any) -> Any:
    """Return a tf2_ros.TransformBroadcaster of the node.

    Raises TransformsUnavailableError where tf2_ros cannot be imported.
    """
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError as error:
        raise TransformsUnavailableError(
            f"publish_tf is true but tf2_ros cannot be imported ({error}): install it "
            "(apt install ros-$ROS_DISTRO-tf2-ros) and source ROS, or set publish_tf to false"
        ) from None
    return TransformBroadcaster(node)
