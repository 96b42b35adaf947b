from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from selavpr_ros.planar_pose import PlanarPose

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from selavpr_ros.loop_closure import Closure, Drive, Keyframe, Waypoint
from selavpr_ros.loop_closure.tie import Tie
from selavpr_ros.nodes.loop_closure.outputs import DRAWN_TOGETHER, LoopOutputs
from test.selavpr_ros.nodes.publishers import Topics

pytestmark = pytest.mark.ros

HEADER = Header(stamp=Time(sec=90), frame_id="camera")
RGB = np.full((48, 64, 3), 200, np.uint8)
MATCH = cv2.imencode(".jpg", np.full((48, 64, 3), 20, np.uint8))[1].tobytes()
HERE, THERE = PlanarPose(1.0, 2.0, 0.5, 0.0), PlanarPose(5.0, 2.0, 0.5, 0.0)


class Session:
    """What the outputs ask a session for."""

    def __init__(self, tied: Tie | None = None, first: int = 0) -> None:
        self.keeper = SimpleNamespace(tied=tied, first=first)
        self.asked: list[Waypoint] = []

    def picture(self, waypoint: Waypoint) -> bytes | None:
        self.asked.append(waypoint)
        return MATCH


def keyframe(
    number: int = 41, segment: str | None = None, closed: bool = True, posed: bool = True
) -> Keyframe:
    query = Waypoint(Drive(None, 0), number, 90 * 10**9, 0.0, HERE if posed else None)
    match = Waypoint(Drive(segment, 0), 3, 7 * 10**9, 0.0, THERE)
    closure = Closure(match, query, 0.75, 12, {}) if closed else None
    return Keyframe(query, None, 30, 0.75, closure, ())


def publish(outputs: LoopOutputs, seen: Keyframe, session: Session | None = None) -> None:
    known: Any = session or Session()
    outputs.publish(seen, HEADER, RGB, known, "odom", "map")


def outputs_of(topics: Topics) -> LoopOutputs:
    node: Any = topics
    return LoopOutputs(node)


@pytest.mark.parametrize(("first", "lines"), [(3, 1), (4, 0)])
def test_no_line_leads_to_a_keyframe_of_other_odometry(first: int, lines: int) -> None:
    topics = Topics(1)
    publish(outputs_of(topics), keyframe(), Session(first=first))
    drawn = [marker.ns for sent in topics["~/markers"].sent for marker in sent.markers]
    assert drawn.count("closures") == lines
    assert len(topics["~/closure"].sent) == 1  # the match is told all the same


def test_a_closure_is_told_in_every_way() -> None:
    topics, session = Topics(1), Session()
    publish(outputs_of(topics), keyframe(), session)
    assert {topic: len(kept.sent) for topic, kept in topics.items()} == {
        "~/closure": 1,
        "~/closure_info": 1,
        "~/keyframe": 1,
        "~/markers": 2,  # the line and the keyframes
        "~/match_image": 1,
    }
    (picture,) = topics["~/match_image"].sent
    assert picture.header == HEADER
    pixels = np.frombuffer(bytes(picture.data), np.uint8).reshape(picture.height, -1, 3)
    # Query left, match right.
    row = pixels[pixels.shape[0] // 2].astype(int).mean(axis=1)
    assert row[len(row) // 4] == pytest.approx(200, abs=3)
    assert row[-len(row) // 4] == pytest.approx(20, abs=3)
    assert [waypoint.number for waypoint in session.asked] == [3]


def test_what_nobody_looks_at_is_not_drawn() -> None:
    topics, session = Topics(0), Session()
    publish(outputs_of(topics), keyframe(), session)
    assert topics["~/match_image"].sent == []
    assert session.asked == []
    assert [array.markers[0].ns for array in topics["~/markers"].sent] == ["closures"]


def test_a_keyframe_without_closure_is_a_keyframe_alone() -> None:
    topics = Topics(1)
    publish(outputs_of(topics), keyframe(closed=False))
    sent = {topic: len(kept.sent) for topic, kept in topics.items() if kept.sent}
    assert sent == {"~/keyframe": 1, "~/markers": 1}


def test_without_odometry_there_is_nothing_to_draw() -> None:
    topics = Topics(1)
    publish(outputs_of(topics), keyframe(posed=False))
    assert topics["~/markers"].sent == []
    assert len(topics["~/closure"].sent) == len(topics["~/match_image"].sent) == 1


@pytest.mark.parametrize(("first", "drawn"), [(0, [0, 1]), (41, [0, 1]), (42, [1])])
def test_lines_into_the_map_wait_until_it_is_known_where_that_is(
    first: int, drawn: list[int]
) -> None:
    topics = Topics(0)
    outputs = outputs_of(topics)
    publish(outputs, keyframe(segment="lap"))
    publish(outputs, keyframe(posed=False, segment="lap"))  # never to be drawn
    assert topics["~/markers"].sent == []
    # By 10 m along x the session's frame lies in the map.
    tied = Session(Tie(PlanarPose(10.0, 0.0, 0.0, 0.0), 3, 3, 0.0, 0.01), first)
    publish(outputs, keyframe(42, segment="lap"), tied)
    lines = [line for array in topics["~/markers"].sent for line in array.markers]
    assert [line.id for line in lines] == [2 * number for number in drawn]
    assert {line.ns for line in lines} == {"closures into the map"}
    for line in lines:
        assert [point.x for point in line.points] == pytest.approx([-5.0, 1.0])
    publish(outputs, keyframe(43, closed=False), tied)
    assert len(topics["~/markers"].sent) == len(drawn)  # each is drawn once


def test_keyframes_are_drawn_together_and_a_long_drive_in_parts() -> None:
    topics = Topics(1)
    outputs = outputs_of(topics)
    count = 2 * DRAWN_TOGETHER + 5
    for number in range(count):
        publish(outputs, keyframe(number, closed=False))
    drawn: dict[int, int] = {}
    for array in topics["~/markers"].sent:
        (spheres,) = array.markers
        assert spheres.header.frame_id == "odom"
        drawn[spheres.id] = len(spheres.points)  # takes the place of the one before
    assert drawn == {0: DRAWN_TOGETHER, 1: DRAWN_TOGETHER, 2: 5}


def test_the_publishers_go_with_it() -> None:
    topics = Topics(0)
    outputs = outputs_of(topics)
    assert topics
    outputs.destroy()
    assert not topics
