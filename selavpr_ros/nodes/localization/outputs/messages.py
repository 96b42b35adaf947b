"""What the localization node publishes, built from plain values. Imports message types only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from numpy.typing import NDArray
from sensor_msgs.msg import NavSatFix, NavSatStatus, PointCloud2
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from selavpr_core.geodesy import Datum
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate
from selavpr_ros.nodes.ros.messages import point, point_cloud, pose_message, quaternion

if TYPE_CHECKING:
    from selavpr_core.place_map import PlaceMap
    from selavpr_ros.nodes.localization.recognizer import Recognition

CANDIDATE_FIELDS = np.dtype(
    [
        ("x", "<f4"),
        ("y", "<f4"),
        ("z", "<f4"),
        ("yaw", "<f4"),
        ("score", "<f4"),
        ("hamming", "<i4"),
        ("rank", "<i4"),
        ("place_id", "<i4"),
    ]
)
PLACE_FIELDS = np.dtype(
    [
        ("x", "<f4"),
        ("y", "<f4"),
        ("z", "<f4"),
        ("yaw", "<f4"),
        ("place_id", "<i4"),
        ("segment", "<i4"),
    ]
)


def pose_with_covariance(
    stamp: Time, frame: str, estimate: PoseEstimate
) -> PoseWithCovarianceStamped:
    """The pose as Nav2 takes it for /initialpose; covariance row-major x, y, z, rot x, y, z."""
    message = PoseWithCovarianceStamped(header=Header(stamp=stamp, frame_id=frame))
    message.pose.pose = pose_message(estimate.position, estimate.yaw)
    message.pose.covariance = estimate.covariance.reshape(-1)
    return message


def nav_sat_fix(stamp: Time, frame: str, estimate: PoseEstimate, datum: Datum) -> NavSatFix:
    """The same position in WGS84, with its covariance turned from the map's grid to true ENU."""
    latitude, longitude, altitude = (float(v) for v in datum.to_wgs84(estimate.position))
    message = NavSatFix(header=Header(stamp=stamp, frame_id=frame))
    message.status.status = NavSatStatus.STATUS_FIX
    message.status.service = 0  # no satellite had a part in it
    message.latitude, message.longitude, message.altitude = latitude, longitude, altitude
    angle = datum.convergence(latitude, longitude)
    cos, sin = math.cos(angle), math.sin(angle)
    # A direction with true azimuth has the grid's plus the convergence: grid = R(angle) ENU.
    to_enu = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    covariance = to_enu @ estimate.covariance[:3, :3] @ to_enu.T
    message.position_covariance = covariance.reshape(-1)
    message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_KNOWN
    return message


def candidate_poses(stamp: Time, frame: str, recognition: Recognition, count: int) -> PoseArray:
    """Poses of the best candidates, best first; identity where a place has no heading."""
    poses = [
        pose_message(position, heading)
        for position, heading in zip(
            recognition.positions[:count], recognition.headings[:count], strict=True
        )
    ]
    return PoseArray(header=Header(stamp=stamp, frame_id=frame), poses=poses)


def candidate_cloud(stamp: Time, frame: str, recognition: Recognition, count: int) -> PointCloud2:
    """The best candidates with all that is known of them.

    Fields: x, y, z (m), yaw (rad, nan unknown), score (similarity), hamming (bits, -1 where codes
    were not used), rank (from 0), place_id (number of the place in the map).
    """
    matches = recognition.matches[:count]
    points = np.zeros(len(matches), CANDIDATE_FIELDS)
    _fill_positions(points, recognition.positions[:count], recognition.headings[:count])
    points["score"] = [match.similarity for match in matches]
    points["hamming"] = [-1 if match.hamming is None else match.hamming for match in matches]
    points["rank"] = [match.rank for match in matches]
    points["place_id"] = [match.place for match in matches]
    return point_cloud(Header(stamp=stamp, frame_id=frame), points)


def map_places(frame: str, place_map: PlaceMap) -> PointCloud2:
    """All places of the map: x, y, z (m), yaw (rad, nan unknown), place_id, segment (number).

    The stamp is zero: the places hold at any time.
    """
    points = np.zeros(len(place_map), PLACE_FIELDS)
    _fill_positions(points, place_map.positions, place_map.headings)
    points["place_id"] = np.arange(len(place_map))
    counts = [segment.count for segment in place_map.segments]
    points["segment"] = np.repeat(np.arange(len(counts)), counts)
    return point_cloud(Header(frame_id=frame), points)


def markers(
    stamp: Time,
    frame: str,
    recognition: Recognition,
    count: int,
    pose: PoseEstimate | None,
    verdict: str,
) -> MarkerArray:
    """Candidates as spheres coloured by their similarity; the pose, its 2-sigma disc, a verdict.

    Without a pose, that of an earlier image and its disc are taken away, and the verdict stands at
    the best candidate.
    """
    header = Header(stamp=stamp, frame_id=frame)
    matches = recognition.matches[:count]
    similarities = np.array([match.similarity for match in matches])
    spread = max(float(similarities.max() - similarities.min()), 1e-6)
    shares = (similarities - similarities.min()) / spread

    spheres = _marker(header, "candidates", Marker.SPHERE_LIST, (0.6, 0.6, 0.6))
    spheres.points = [point(position) for position in recognition.positions[:count]]
    # Orange for the least similar to blue for the most: told apart with any colour vision.
    spheres.colors = [
        ColorRGBA(r=0.90 * (1.0 - s), g=0.62 - 0.17 * s, b=0.70 * s, a=0.4 + 0.6 * s)
        for s in shares.tolist()
    ]

    x, y, z = recognition.positions[0] if pose is None else pose.position
    text = _marker(header, "verdict", Marker.TEXT_VIEW_FACING, (0.0, 0.0, 0.8))
    text.pose.position = point((x, y, z + 2.0))
    text.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
    text.text = verdict

    disc = _marker(header, "sigma", Marker.CYLINDER, (1.0, 1.0, 0.05))
    arrow = _marker(header, "pose", Marker.ARROW, (2.0, 0.35, 0.35))
    if pose is None:
        disc.action = Marker.DELETE
    else:
        deviations, directions = np.linalg.eigh(pose.covariance[:2, :2])
        # Scale is the full width: two sigma to each side.
        disc.scale.x, disc.scale.y = (4.0 * math.sqrt(float(v)) for v in deviations)
        disc.pose.position = point(pose.position)
        disc.pose.orientation = quaternion(math.atan2(directions[1, 0], directions[0, 0]))
        disc.color = ColorRGBA(r=0.0, g=0.62, b=0.45, a=0.3)
    if pose is None or math.isnan(pose.yaw):
        arrow.action = Marker.DELETE  # it would claim a direction that nobody knows
    else:
        arrow.pose = pose_message(pose.position, pose.yaw)
        arrow.color = ColorRGBA(r=0.0, g=0.62, b=0.45, a=1.0)
    return MarkerArray(markers=[spheres, text, disc, arrow])


def _marker(header: Header, namespace: str, kind: int, scale: tuple[float, float, float]) -> Marker:
    marker = Marker(header=header, ns=namespace, id=0, type=kind, action=Marker.ADD)
    marker.scale.x, marker.scale.y, marker.scale.z = scale
    return marker


def _fill_positions(
    points: NDArray[Any], positions: NDArray[np.float64], headings: NDArray[Any]
) -> None:
    points["x"], points["y"], points["z"] = positions.T
    points["yaw"] = headings
