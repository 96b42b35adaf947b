"""The subscription to a camera's images, which is reliable where their publishers are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from selavpr_ros.nodes.ros import messages

# The newest image is all that matters, and a camera may be reliable or not: this hears both.
CAMERA_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
# What is larger than the middleware's shared memory comes in pieces, and one is soon lost.
RELIABLE_CAMERA_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)


class ImageSubscription:
    """Subscribes as the parameter image_reliability wants it, and anew where that changes.

    A change may lose an image. With `auto` one comes only with a publisher of the other kind.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        transport: str,
        reliability: str,
        callback: Callable[[Any], None],
    ) -> None:
        """Subscribe; transport and reliability are values of the parameters of that name."""
        self._node = node
        self._topic = topic
        self._type = Image if transport == "raw" else CompressedImage
        self._wanted = reliability
        self._callback = callback
        self._qos: QoSProfile | None = None
        self._subscription: Any = None
        self.follow()

    def follow(self) -> None:
        """Look at who publishes now; to be called now and then, as Humble has no event for it."""
        qos = image_qos(self._wanted, self._of_our_type(self._publishers()), self._qos)
        if qos is self._qos:
            return
        before = self._qos
        self.destroy()
        self._qos = qos
        self._subscription = self._node.create_subscription(
            self._type, self._topic, self._callback, qos
        )
        if before is not None:
            self._node.get_logger().info(
                f"{self._topic}: subscribed anew as {self.reliability}, for its publishers changed"
            )

    def destroy(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None

    @property
    def reliability(self) -> str:
        """What is in force, in the parameter's words."""
        return "reliable" if self._qos is RELIABLE_CAMERA_QOS else "best_effort"

    def hint(self) -> str:
        """Say what the graph knows about a camera that is silent."""
        everyone = self._publishers()
        if not everyone:
            return "nobody publishes it"
        publishers = self._of_our_type(everyone)
        if not publishers:
            other = min(info.topic_type for info in everyone)
            expected = messages.type_name(self._type)
            return f"it is published as {other}, not {expected}: set image_transport"
        unreliable = best_effort_names(publishers)
        if self._qos is RELIABLE_CAMERA_QOS:
            if unreliable:
                return (
                    f"{', '.join(unreliable)} publishes it best effort: set image_reliability to "
                    "auto or best_effort"
                )
        elif len(unreliable) < len(publishers):
            return (
                "it has a publisher that sends nothing, or images too large to arrive by best "
                "effort: set image_reliability to reliable"
            )
        return "it has a publisher that sends nothing"

    def _publishers(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self._topic))

    def _of_our_type(self, publishers: Collection[Any]) -> list[Any]:
        expected = messages.type_name(self._type)
        return [info for info in publishers if info.topic_type == expected]


def image_qos(wanted: str, publishers: Collection[Any], before: QoSProfile | None) -> QoSProfile:
    """Choose how to subscribe.

    wanted: the parameter image_reliability. publishers: TopicEndpointInfo of those with the type
    subscribed to. before: the last choice, None for the first.
    """
    if wanted != "auto":
        return RELIABLE_CAMERA_QOS if wanted == "reliable" else CAMERA_QOS
    if publishers:
        return CAMERA_QOS if best_effort_names(publishers) else RELIABLE_CAMERA_QOS
    # A camera that starts again is mostly as before. At first a reliable one is expected: it then
    # loses nothing, and of the other kind nobody is owed every image.
    return before or RELIABLE_CAMERA_QOS


def best_effort_names(publishers: Collection[Any]) -> list[str]:
    """Name the nodes, in order, that publish what no reliable subscription hears."""
    return sorted(
        f"{info.node_namespace.rstrip('/')}/{info.node_name}"
        for info in publishers
        if info.qos_profile.reliability != ReliabilityPolicy.RELIABLE
    )
