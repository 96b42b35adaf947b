from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from selavpr_ros.nodes.camera.image_subscription import ImageSubscription

pytestmark = pytest.mark.ros

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
RELIABLE, BEST_EFFORT = "RELIABLE", "BEST_EFFORT"


class Graph:
    """Stands for the node: has the publishers of a test, and keeps its subscriptions."""

    def __init__(self, *published: tuple[str, str]) -> None:
        self.publishers: list[Any] = []
        self.subscribed: list[QoSProfile] = []  # at present
        self.said: list[str] = []
        self.publish(*published)

    def publish(self, *published: tuple[str, str]) -> None:
        """From now on these publish, by type and reliability."""
        self.publishers = [
            SimpleNamespace(
                node_namespace="/cam" if number else "/",
                node_name=f"driver{number}",
                topic_type=kind,
                qos_profile=SimpleNamespace(reliability=ReliabilityPolicy[reliability]),
            )
            for number, (kind, reliability) in enumerate(published)
        ]

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        assert topic == "/image"
        return self.publishers

    def create_subscription(self, kind: type, topic: str, callback: Any, qos: QoSProfile) -> Any:
        assert topic == "/image"
        self.subscribed.append(qos)
        return qos

    def destroy_subscription(self, subscription: Any) -> None:
        self.subscribed.remove(subscription)

    def get_logger(self) -> Any:
        return SimpleNamespace(info=self.said.append)


def subscription(graph: Graph, wanted: str, transport: str = "raw") -> ImageSubscription:
    return ImageSubscription(cast(Any, graph), "/image", transport, wanted, lambda message: None)


@pytest.mark.parametrize(
    ("published", "chosen"),
    [
        ([], "reliable"),
        ([(IMAGE, RELIABLE)], "reliable"),
        ([(IMAGE, BEST_EFFORT)], "best_effort"),
        ([(IMAGE, RELIABLE), (IMAGE, BEST_EFFORT)], "best_effort"),
        ([(IMAGE, RELIABLE), (COMPRESSED, BEST_EFFORT)], "reliable"),
        ([(IMAGE, "UNKNOWN")], "best_effort"),
    ],
)
def test_auto_is_reliable_where_every_publisher_is(
    published: list[tuple[str, str]], chosen: str
) -> None:
    graph = Graph(*published)
    images = subscription(graph, "auto")
    assert images.reliability == chosen
    (qos,) = graph.subscribed
    assert qos.reliability == ReliabilityPolicy[chosen.upper()]
    assert (qos.history, qos.depth) == (HistoryPolicy.KEEP_LAST, 1)
    images.destroy()
    assert graph.subscribed == []


@pytest.mark.parametrize("wanted", ["best_effort", "reliable"])
def test_what_is_asked_for_stays_whoever_publishes(wanted: str) -> None:
    graph = Graph()
    images = subscription(graph, wanted)
    for reliability in (RELIABLE, BEST_EFFORT):
        graph.publish((IMAGE, reliability))
        images.follow()
        assert images.reliability == wanted
    assert graph.said == []


def test_auto_follows_publishers_that_change() -> None:
    graph = Graph()
    images = subscription(graph, "auto")
    seen = []
    for published in (
        [(IMAGE, RELIABLE)],
        [(IMAGE, BEST_EFFORT)],
        [],  # it may come back as it was
        [(IMAGE, BEST_EFFORT)],
        [(IMAGE, RELIABLE)],
        [],
    ):
        graph.publish(*published)
        images.follow()
        seen.append(images.reliability)
        assert len(graph.subscribed) == 1
    assert seen == ["reliable", *["best_effort"] * 3, "reliable", "reliable"]
    assert graph.said == [
        f"/image: subscribed anew as {kind}, for its publishers changed"
        for kind in ("best_effort", "reliable")
    ]


NOTHING_SENT = "it has a publisher that sends nothing"


@pytest.mark.parametrize(
    ("wanted", "published", "hint"),
    [
        ("auto", [], "nobody publishes it"),
        (
            "auto",
            [(COMPRESSED, RELIABLE)],
            f"it is published as {COMPRESSED}, not {IMAGE}: set image_transport",
        ),
        ("auto", [(IMAGE, BEST_EFFORT)], NOTHING_SENT),
        ("auto", [(IMAGE, RELIABLE)], NOTHING_SENT),
        (
            "best_effort",
            [(IMAGE, RELIABLE)],
            f"{NOTHING_SENT}, or images too large to arrive by best effort: "
            "set image_reliability to reliable",
        ),
        (
            "reliable",
            [(IMAGE, BEST_EFFORT), (IMAGE, BEST_EFFORT), (IMAGE, RELIABLE)],
            "/cam/driver1, /driver0 publishes it best effort: "
            "set image_reliability to auto or best_effort",
        ),
        ("reliable", [(IMAGE, RELIABLE)], NOTHING_SENT),
    ],
)
def test_a_camera_that_is_silent_has_a_hint(
    wanted: str, published: list[tuple[str, str]], hint: str
) -> None:
    assert subscription(Graph(*published), wanted).hint() == hint


def test_compressed_images_are_another_type() -> None:
    graph = Graph((IMAGE, BEST_EFFORT))
    images = subscription(graph, "auto", "compressed")
    assert images.reliability == "reliable"
    assert images.hint() == f"it is published as {IMAGE}, not {COMPRESSED}: set image_transport"
