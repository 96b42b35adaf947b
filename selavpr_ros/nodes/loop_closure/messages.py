"""The messages of the loop closure node. Imports message types only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Path
from std_msgs.msg import ColorRGBA, Header, String
from visualization_msgs.msg import Marker, MarkerArray

from selavpr_ros.nodes.ros.messages import point, pose_message, time_of
from selavpr_ros.planar_pose import PlanarPose

if TYPE_CHECKING:  # the package imports torch
    from selavpr_ros.loop_closure import Closure, Waypoint

# Told apart with any colour vision (Okabe and Ito).
_BLUE = ColorRGBA(r=0.0, g=0.45, b=0.70, a=1.0)
_ORANGE = ColorRGBA(r=0.90, g=0.62, b=0.0, a=1.0)
_GREY = ColorRGBA(r=0.59, g=0.60, b=0.62, a=1.0)


def keyframe_pose(waypoint: Waypoint, frame: str) -> PoseStamped:
    """The pose of a keyframe or place; identity in no frame where it has none."""
    pose = PoseStamped()
    pose.header.stamp = time_of(waypoint.stamp)
    if waypoint.pose is not None:
        pose.header.frame_id = frame
        pose.pose = pose_message(waypoint.pose[:3], waypoint.pose.yaw)
    return pose


def closure_path(closure: Closure, odometry_frame: str, map_frame: str) -> Path:
    """A closure as a path of exactly two poses: the match, then the query.

    Each has its own stamp and frame; the match of a loaded map is in the map frame. The header is
    that of the query.
    """
    match_frame = odometry_frame if closure.segment is None else map_frame
    poses = [
        keyframe_pose(closure.match, match_frame),
        keyframe_pose(closure.query, odometry_frame),
    ]
    return Path(header=poses[1].header, poses=poses)


def closure_report(closure: Closure) -> String:
    """Everything about a closure as JSON."""
    return String(data=json.dumps(closure.to_json(), allow_nan=False))


def closure_markers(
    number: int, query: PoseStamped, match: PlanarPose, segment: str | None
) -> MarkerArray:
    """A line from the match to the query, in the query's frame; each closure has a line of its own.

    number: of the closure. Blue within the session, orange into a map.
    """
    line = Marker(
        header=Header(stamp=query.header.stamp, frame_id=query.header.frame_id),
        ns="closures" if segment is None else "closures into the map",
        id=number,
        type=Marker.LINE_LIST,
        action=Marker.ADD,
    )
    line.scale.x = 0.15
    line.color = _BLUE
    if segment is not None:
        line.color = _ORANGE
    line.points = [point(match[:3]), query.pose.position]
    line.pose.orientation.w = 1.0
    return MarkerArray(markers=[line])


def keyframe_markers(number: int, newest: PoseStamped, points: Sequence[Point]) -> MarkerArray:
    """Keyframes as spheres, in the frame of the newest.

    number: of these keyframes together: they take the place of what was drawn under it before.
    """
    spheres = Marker(
        header=Header(stamp=newest.header.stamp, frame_id=newest.header.frame_id),
        ns="keyframes",
        id=number,
        type=Marker.SPHERE_LIST,
        action=Marker.ADD,
    )
    spheres.scale.x = spheres.scale.y = spheres.scale.z = 0.3
    spheres.color = _GREY
    spheres.points = list(points)
    spheres.pose.orientation.w = 1.0
    return MarkerArray(markers=[spheres])
