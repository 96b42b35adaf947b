"""The publishers of the loop closure node, and what a keyframe puts on each of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Path
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import HistoryPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from selavpr_ros.nodes.camera.picture import decode_thumbnail, match_picture
from selavpr_ros.nodes.loop_closure import messages
from selavpr_ros.nodes.loop_closure.monitor import describe_closure
from selavpr_ros.nodes.ros.messages import rgb_image
from selavpr_ros.planar_pose import PlanarPose

if TYPE_CHECKING:  # the package imports torch
    from selavpr_ros.loop_closure import Closure, Keyframe, Waypoint
    from selavpr_ros.nodes.loop_closure.session import LoopSession
    from selavpr_ros.nodes.loop_closure.session_keeper import SessionKeeper

# A closure is rare and must not be lost: room for many, to listeners that are slow.
CLOSURE_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100)
PICTURE_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1)

DRAWN_TOGETHER = 100  # keyframes in one marker: few objects to draw, and few points to send again
MOST_UNDRAWN = 500  # closures into a map that the session is not tied to yet


class LoopOutputs:
    """Lifecycle publishers: silent unless the node is active. For one thread."""

    def __init__(self, node: LifecycleNode) -> None:
        """Create the publishers, all below the node's own name."""
        self._node = node
        self._closures = 0
        self._undrawn: deque[tuple[int, PoseStamped, Closure]] = deque(maxlen=MOST_UNDRAWN)
        self._drawn = 0
        self._points: list[Point] = []
        create = node.create_lifecycle_publisher
        self._closure = create(Path, "~/closure", CLOSURE_QOS)
        self._report = create(String, "~/closure_info", CLOSURE_QOS)
        self._keyframe = create(PoseStamped, "~/keyframe", CLOSURE_QOS)
        self._markers = create(MarkerArray, "~/markers", CLOSURE_QOS)
        self._match_image = create(Image, "~/match_image", PICTURE_QOS)

    def destroy(self) -> None:
        """Take the publishers away."""
        for publisher in (
            self._closure,
            self._report,
            self._keyframe,
            self._markers,
            self._match_image,
        ):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish(
        self,
        keyframe: Keyframe,
        header: Header,
        rgb: NDArray[np.uint8],
        session: LoopSession,
        odometry_frame: str,
        map_frame: str,
    ) -> None:
        """Publish a keyframe, and its closure if it has one.

        Args:
            keyframe: what the session made of an image.
            header: that of the image.
            rgb: [H, W, 3] uint8, its pixels.
            session: knows where it lies in the map, and has the pictures of what was before.
            odometry_frame, map_frame: of the session's poses and of the map's.
        """
        query = messages.keyframe_pose(keyframe.waypoint, odometry_frame)
        closure = keyframe.closure
        if closure is not None:
            # First of all: others wait for it.
            self._closure.publish(messages.closure_path(closure, odometry_frame, map_frame))
            self._report.publish(messages.closure_report(closure))
            if closure.query.pose is not None and closure.match.pose is not None:
                self._undrawn.append((self._closures, query, closure))
            self._closures += 1
            self._draw_closures(session.keeper)
            if self._match_image.get_subscription_count():
                picture = _picture(keyframe, closure, rgb, session)
                self._match_image.publish(rgb_image(header, picture))
        self._keyframe.publish(query)
        if keyframe.waypoint.pose is not None:
            self._draw(query)

    def _draw_closures(self, keeper: SessionKeeper) -> None:
        """Draw the closures of which it is known where odometry has their match."""
        undrawn = list(self._undrawn)
        self._undrawn.clear()
        for number, query, closure in undrawn:
            match = _in_odometry(closure, keeper)
            if match is not None:
                self._markers.publish(
                    messages.closure_markers(number, query, match, closure.segment)
                )
            elif closure.segment is not None and closure.query.number >= keeper.first:
                self._undrawn.append((number, query, closure))  # until the session is tied

    def _draw(self, keyframe: PoseStamped) -> None:
        """Draw a keyframe with those shortly before it."""
        if len(self._points) == DRAWN_TOGETHER:
            self._drawn += 1
            self._points = []
        self._points.append(keyframe.pose.position)
        if self._markers.get_subscription_count():
            self._markers.publish(messages.keyframe_markers(self._drawn, keyframe, self._points))


def _in_odometry(closure: Closure, keeper: SessionKeeper) -> PlanarPose | None:
    """The match in the frame of the query's odometry; None where that is not known."""
    match = closure.match.pose
    if match is None:
        return None
    # Before time jumped back odometry may have begun elsewhere.
    if closure.segment is None:
        return match if closure.match.number >= keeper.first else None
    tied = keeper.tied if closure.query.number >= keeper.first else None
    return None if tied is None else tied.in_session(match)


def _picture(
    keyframe: Keyframe, closure: Closure, rgb: NDArray[np.uint8], session: LoopSession
) -> NDArray[np.uint8]:
    """The keyframe beside what it was found at: `[H, W, 3]` uint8 RGB."""
    return match_picture(
        rgb,
        decode_thumbnail(session.picture(closure.match)),
        f"loop closed: {describe_closure(keyframe)}",
        True,
        (_caption(closure.query), _caption(closure.match)),
    )


def _caption(waypoint: Waypoint) -> str:
    seconds, rest = divmod(waypoint.stamp, 1_000_000_000)
    at = f"stamp {seconds}.{rest // 1_000_000:03d}"
    if waypoint.drive.segment is None:
        return f"keyframe {waypoint.number}, {at}"
    return f"place {waypoint.number} of {waypoint.drive.segment}, {at}"
