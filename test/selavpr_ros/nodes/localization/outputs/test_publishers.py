from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from selavpr_core.place_map import PlaceMap
from selavpr_core.retrieval import Localizer
from selavpr_ros.nodes.localization.outcome import Localized, NotInMap, Unsettled
from selavpr_ros.nodes.localization.parameters import Settings
from test.selavpr_ros.nodes.conftest import Street
from test.selavpr_ros.nodes.publishers import Topics

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from selavpr_ros.nodes.localization.outputs.publishers import Outputs
from selavpr_ros.nodes.localization.recognizer import Recognizer

pytestmark = pytest.mark.ros

HEADER = Header(stamp=Time(sec=1), frame_id="camera")


@pytest.fixture(scope="module")
def recognizer(street: Street) -> Recognizer:
    place_map = PlaceMap.load(street.path)
    return Recognizer(street.describer, place_map, Localizer(place_map, "two-stage", 100))


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
    assert alone["~/state"] == 1
    watched = published(recognizer, street, 1, True)
    assert (watched["~/match_image"], watched["~/markers"]) == (1, 1)


def test_not_in_the_map_has_neither_pose_nor_fix(recognizer: Recognizer, street: Street) -> None:
    lost = published(recognizer, street, 1, False)
    assert (lost["~/pose"], lost["~/fix"], lost["~/state"]) == (0, 0, 1)
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
    assert len(topics) == 8
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


def test_with_the_filter_its_pose_and_its_place_are_shown(
    recognizer: Recognizer, street: Street
) -> None:
    topics = Topics(1)
    outputs = Outputs(topics)  # type: ignore[arg-type]
    recognition = recognizer.recognize(street.images[2])
    # The filter is sure of place 7, although the image looks like place 2.
    elsewhere = recognizer.recognize(street.images[7]).estimate
    for outcome in (
        Localized(1.0, 7, "drive", elsewhere, 0.97),
        Localized(1.0, 2, "drive", recognition.estimate),
        Unsettled("candidate", 1.0, 7, "drive", elsewhere, 0.6),
    ):
        outputs.publish_frame(
            HEADER,
            street.images[2],
            recognition,
            outcome,
            recognizer.place_map,
            Settings(),
        )
    by_filter, _ = topics["~/pose"].sent  # none of a candidate
    assert by_filter.pose.pose.position.x == street.positions[7, 0]
    assert topics["~/fix"].sent[0].latitude != topics["~/fix"].sent[1].latitude
    states = [json.loads(message.data) for message in topics["~/state"].sent]
    assert [state["state"] for state in states] == ["localised", "localised", "candidate"]
    assert [state["probability"] for state in states] == [0.97, None, 0.6]
    assert [state["place"] for state in states] == [7, 2, 7]
    assert states[0]["stamp"] == 10**9
    texts = [array.markers[1].text for array in topics["~/markers"].sent]
    assert texts[:2] == ["probability 0.97", "similarity 1.00"]
    assert texts[2].startswith("not localised: candidate")
    # The picture's right half is of place 7 with the filter alone.
    first, second, third = (
        np.frombuffer(m.data, np.uint8).reshape(m.height, m.width, 3)[40:350]
        for m in topics["~/match_image"].sent
    )
    half = first.shape[1] // 2
    np.testing.assert_array_equal(first[:, : half - 10], second[:, : half - 10])
    assert np.abs(first[:, half + 10 :].astype(int) - second[:, half + 10 :]).mean() > 20
    np.testing.assert_array_equal(second, third)
