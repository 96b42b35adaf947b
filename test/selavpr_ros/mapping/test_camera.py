from __future__ import annotations

from typing import Any

import pytest

from selavpr_core.camera import CameraModel
from selavpr_ros.bags import TopicInfo
from selavpr_ros.mapping.camera import CAMERA_INFO_TYPE, CameraLog
from test.bags_on_disk import Messages

TOPICS = {
    name: TopicInfo(name, CAMERA_INFO_TYPE, 9)
    for name in ("/left/camera_info", "/right/camera_info")
}
CAMERA = CameraModel(640, 480, 500.0, 510.0, 319.5, 239.5)


def info(focal: float = 500.0) -> Any:
    return Messages().camera_info(0, 640, 480, [focal, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1])


@pytest.fixture
def log() -> CameraLog:
    return CameraLog(TOPICS, "/right/image_raw")


def test_it_is_the_one_beside_the_images(log: CameraLog) -> None:
    assert log.topic == "/right/camera_info"
    assert CameraLog(TOPICS, "/image_raw").topic is None
    other = {"/camera_info": TopicInfo("/camera_info", "std_msgs/msg/String", 9)}
    assert CameraLog(other, "/image_raw").topic is None


def test_nothing_said_is_no_problem(log: CameraLog) -> None:
    log.saw(640, 480)
    assert log.result() == (None, [])


def test_images_may_be_smaller_copies(log: CameraLog) -> None:
    log.saw(320, 240)
    log.add(info())
    log.saw(640, 480)
    log.add(info())
    assert log.result() == (CAMERA, [])
    log.saw(480, 640)
    camera, (problem,) = log.result()
    assert camera is None
    assert "an image of 480 x 640 is not a smaller copy" in problem


def test_every_problem_is_told(log: CameraLog) -> None:
    for focal in (0.0, 500.0, -1.0, 501.0):
        log.add(info(focal))
    camera, problems = log.result()
    assert camera is None
    assert [problem.partition(" (")[0] for problem in problems] == [
        "/right/camera_info: 2 of 4 messages say nothing of the camera",
        "/right/camera_info is not always of one camera: the segment names none",
    ]
