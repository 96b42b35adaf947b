"""The publishers of the localization node, and what a frame puts on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from sensor_msgs.msg import Image, NavSatFix, PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from selavpr_ros.nodes.camera.picture import decode_thumbnail, match_picture
from selavpr_ros.nodes.localization.outcome import Judged, Localized, describe_probability
from selavpr_ros.nodes.localization.outputs import messages
from selavpr_ros.nodes.localization.outputs.state import state_json
from selavpr_ros.nodes.localization.parameters import Settings
from selavpr_ros.nodes.localization.recognizer import Recognition
from selavpr_ros.nodes.ros.messages import rgb_image, stamp_nanoseconds

if TYPE_CHECKING:  # it imports torch, which only a node that is configured pays for
    from selavpr_core.place_map import PlaceMap

RESULT_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10)
PICTURE_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1)
LATCHED_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class Outputs:
    """Lifecycle publishers: silent unless the node is active. Any thread may publish."""

    def __init__(self, node: LifecycleNode) -> None:
        """Create the publishers, all below the node's own name."""
        self._node = node
        create = node.create_lifecycle_publisher
        self._pose = create(PoseWithCovarianceStamped, "~/pose", RESULT_QOS)
        self._fix = create(NavSatFix, "~/fix", RESULT_QOS)
        self._state = create(String, "~/state", RESULT_QOS)
        self._candidates = create(PoseArray, "~/candidates", RESULT_QOS)
        self._candidate_cloud = create(PointCloud2, "~/candidate_cloud", RESULT_QOS)
        self._markers = create(MarkerArray, "~/markers", RESULT_QOS)
        self._match_image = create(Image, "~/match_image", PICTURE_QOS)
        self._map_places = create(PointCloud2, "~/map_places", LATCHED_QOS)

    def destroy(self) -> None:
        """Take the publishers away."""
        for publisher in (
            self._pose,
            self._fix,
            self._state,
            self._candidates,
            self._candidate_cloud,
            self._markers,
            self._match_image,
            self._map_places,
        ):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish_map(self, place_map: PlaceMap, settings: Settings) -> None:
        """Publish all places, kept for those who subscribe later."""
        self._map_places.publish(messages.map_places(settings.map_frame, place_map))

    def publish_frame(
        self,
        header: Header,
        rgb: NDArray[np.uint8],
        recognition: Recognition,
        outcome: Judged,
        place_map: PlaceMap,
        settings: Settings,
    ) -> None:
        """Publish what came of an image, with its stamp; a pose and a fix only where localised.

        header: that of the image, which the picture of query and match keeps as a whole.
        """
        stamp = header.stamp
        frame, count = settings.map_frame, settings.candidates_published
        estimate = outcome.estimate if isinstance(outcome, Localized) else None
        if estimate is not None:
            # First of all: others wait for it.
            self._pose.publish(messages.pose_with_covariance(stamp, frame, estimate))
            if place_map.datum is not None:
                fix = messages.nav_sat_fix(stamp, settings.base_frame, estimate, place_map.datum)
                self._fix.publish(fix)
        text = state_json(stamp_nanoseconds(stamp), frame, outcome)
        self._state.publish(String(data=text))
        self._candidates.publish(messages.candidate_poses(stamp, frame, recognition, count))
        self._candidate_cloud.publish(messages.candidate_cloud(stamp, frame, recognition, count))
        if self._markers.get_subscription_count():
            verdict = _sureness(outcome) if isinstance(outcome, Localized) else str(outcome)
            self._markers.publish(
                messages.markers(stamp, frame, recognition, count, estimate, verdict)
            )
        if self._match_image.get_subscription_count():
            picture = _picture(stamp, rgb, recognition, outcome, place_map)
            self._match_image.publish(rgb_image(header, picture))


def _sureness(outcome: Localized) -> str:
    """How sure a pose is, in a word and a figure."""
    if outcome.probability is None:
        return f"similarity {outcome.similarity:.2f}"
    return f"probability {describe_probability(outcome.probability)}"


def _picture(
    stamp: Time,
    rgb: NDArray[np.uint8],
    recognition: Recognition,
    outcome: Judged,
    place_map: PlaceMap,
) -> NDArray[np.uint8]:
    """The query beside the place where the robot is, or else its best match.

    Returns `[H, W, 3]` uint8 RGB.
    """
    if isinstance(outcome, Localized):
        place, estimate = outcome.place, outcome.estimate
        verdict = f"localised: {_sureness(outcome)}"
    else:
        place, estimate = recognition.matches[0].place, recognition.estimate
        verdict = str(outcome)
    captions: tuple[str, str] = (
        f"query, stamp {stamp.sec}.{stamp.nanosec // 1_000_000:03d}",
        f"place {place} of {place_map.segment_of(place).name}, "
        f"sigma {estimate.position_sigma:.1f} m",
    )
    thumbnail: Any = decode_thumbnail(place_map.thumbnail(place))
    found = isinstance(outcome, Localized)
    return match_picture(rgb, thumbnail, verdict, found, captions)
