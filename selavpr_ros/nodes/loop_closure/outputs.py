"""The publishers of the loop closure node, and what a keyframe puts on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import HistoryPolicy, QoSProfile
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from selavpr_ros.loop_closure.tie import Tie
from selavpr_ros.nodes.loop_closure import messages
from selavpr_ros.planar_pose import PlanarPose

if TYPE_CHECKING:  # the package imports torch
    from selavpr_ros.loop_closure import Closure, Keyframe

# A closure is rare and must not be lost: room for many, to listeners that are slow.
CLOSURE_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100)


class LoopOutputs:
    """Lifecycle publishers: silent unless the node is active. Any thread may publish."""

    def __init__(self, node: LifecycleNode) -> None:
        """Create the publishers, all below the node's own name."""
        self._node = node
        self._closures = 0
        create = node.create_lifecycle_publisher
        self._closure = create(Path, "~/closure", CLOSURE_QOS)
        self._report = create(String, "~/closure_info", CLOSURE_QOS)
        self._keyframe = create(PoseStamped, "~/keyframe", CLOSURE_QOS)
        self._markers = create(MarkerArray, "~/markers", CLOSURE_QOS)

    def destroy(self) -> None:
        """Take the publishers away."""
        for publisher in (self._closure, self._report, self._keyframe, self._markers):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(
        self, keyframe: Keyframe, odometry_frame: str, map_frame: str, tie: Tie | None
    ) -> None:
        """Publish a keyframe, and its closure if it has one.

        tie: where the session's frame lies in the map's; None while that is not known.
        """
        query = messages.keyframe_pose(keyframe.waypoint, odometry_frame)
        closure = keyframe.closure
        if closure is not None:
            self._closure.publish(messages.closure_path(closure, odometry_frame, map_frame))
            self._report.publish(messages.closure_report(closure))
            match = _in_odometry(closure, tie)
            if match is not None and closure.query.pose is not None:
                self._markers.publish(
                    messages.closure_markers(self._closures, query, match, closure.segment)
                )
            self._closures += 1
        self._keyframe.publish(query)


def _in_odometry(closure: Closure, tie: Tie | None) -> PlanarPose | None:
    """The match in the session's frame; None where that is not known."""
    match = closure.match.pose
    if match is None or closure.segment is None:
        return match
    return None if tie is None else tie.in_session(match)
