from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from selavpr_ros.nodes.outcome import Localized, NotInMap
from selavpr_ros.nodes.parameters import Settings
from test.selavpr_ros.nodes.conftest import Street

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from selavpr_ros.nodes.outputs import Outputs
from selavpr_ros.nodes.recognizer import Recognizer

pytestmark = pytest.mark.ros

HEADER = Header(stamp=Time(sec=1), frame_id="camera")


class Listening:
    """A publisher that keeps what it publishes, with as many subscribers as a test wants."""

    def __init__(self, subscribers: int) -> None:
        self.sent: list[Any] = []
        self._subscribers = subscribers

    def publish(self, message: Any) -> None:
        self.sent.append(message)

    def get_subscription_count(self) -> int:
        return self._subscribers


class Topics(dict[str, Listening]):
    """Stands for the node: keeps its publishers by topic."""

    def __init__(self, subscribers: int) -> None:
        super().__init__()
        self._subscribers = subscribers

    def create_lifecycle_publisher(self, kind: type, topic: str, qos: Any) -> Listening:
        self[topic] = Listening(self._subscribers)
        return self[topic]

    def destroy_lifecycle_publisher(self, publisher: Listening) -> None:
        self.pop(next(topic for topic, kept in self.items() if kept is publisher))


@pytest.fixture(scope="module")
def recognizer(street: Street) -> Recognizer:
    return Recognizer.load(Settings(map=str(street.path)))


def published(
    recognizer: Recognizer, street: Street, subscribers: int, found: bool, **changes: Any
) -> dict[str, int]:
    """How many messages one frame puts on each topic."""
    topics = Topics(subscribers)
    recognition = recognizer.recognize(street.images[2])
    outcome = Localized(1.0, 2, "drive", recognition.estimate) if found else NotInMap(0.4, 0.5)
    Outputs(topics).publish_frame(  # type: ignore[arg-type]
        HEADER,
        street.images[2],
        recognition,
        outcome,
        recognizer.place_map,
        Settings(**changes),
    )
    return {topic: len(kept.sent) for topic, kept in topics.items()}


def test_what_nobody_looks_at_is_not_drawn(recognizer: Recognizer, street: Street) -> None:
    alone = published(recognizer, street, 0, True)
    assert (alone["~/match_image"], alone["~/markers"]) == (0, 0)
    assert (alone["~/pose"], alone["~/fix"], alone["~/candidates"]) == (1, 1, 1)
    watched = published(recognizer, street, 1, True)
    assert (watched["~/match_image"], watched["~/markers"]) == (1, 1)


def test_not_in_the_map_has_neither_pose_nor_fix(recognizer: Recognizer, street: Street) -> None:
    lost = published(recognizer, street, 1, False)
    assert (lost["~/pose"], lost["~/fix"]) == (0, 0)
    assert (lost["~/candidates"], lost["~/candidate_cloud"], lost["~/match_image"]) == (1, 1, 1)


def test_a_map_without_datum_has_no_fix(
    recognizer: Recognizer, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognizer.place_map, "datum", None)
    counts = published(recognizer, street, 1, True)
    assert (counts["~/pose"], counts["~/fix"]) == (1, 0)


def test_publishers_go_when_they_are_destroyed() -> None:
    topics = Topics(0)
    outputs = Outputs(topics)  # type: ignore[arg-type]
    assert len(topics) == 7
    outputs.destroy()
    assert not topics


def test_match_image_follows_the_verdict(recognizer: Recognizer, street: Street) -> None:
    topics = Topics(1)
    outputs = Outputs(topics)  # type: ignore[arg-type]
    recognition = recognizer.recognize(street.images[2])
    for outcome in (Localized(1.0, 2, "drive", recognition.estimate), NotInMap(0.4, 0.5)):
        outputs.publish_frame(
            HEADER,
            street.images[2],
            recognition,
            outcome,
            recognizer.place_map,
            Settings(),
        )
    found, lost = (
        np.frombuffer(m.data, np.uint8).reshape(m.height, m.width, 3)
        for m in topics["~/match_image"].sent
    )
    assert found.shape == lost.shape
    assert (found[0] != lost[0]).any(axis=1).all()
    np.testing.assert_array_equal(found[40:350], lost[40:350])
