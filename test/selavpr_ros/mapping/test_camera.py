from __future__ import annotations

from typing import Any

import pytest

from selavpr_core.camera import CameraModel
from selavpr_ros.bags import TopicInfo
from selavpr_ros.errors import BagError
from selavpr_ros.mapping.camera import CAMERA_INFO_TYPE, CameraLog
from test.bags_on_disk import Messages

TOPICS = {
    name: TopicInfo(name, CAMERA_INFO_TYPE, 9)
    for name in ("/left/camera_info", "/right/camera_info")
}
CAMERA = CameraModel(640, 480, 500.0, 510.0, 319.5, 239.5)


def info(focal: float = 500.0, **others: Any) -> Any:
    k = [focal, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1]
    return Messages().camera_info(0, 640, 480, k, **others)


@pytest.fixture
def log() -> CameraLog:
    return CameraLog(TOPICS, "/right/image_raw")


def test_it_is_the_one_beside_the_images(log: CameraLog) -> None:
    assert log.topic == "/right/camera_info"
    assert CameraLog(TOPICS, "/image_raw").topic is None
    other = {"/camera_info": TopicInfo("/camera_info", "std_msgs/msg/String", 9)}
    assert CameraLog(other, "/image_raw").topic is None


@pytest.mark.parametrize("others", [{}, {"/imu": TopicInfo("/imu", "sensor_msgs/msg/Imu", 9)}])
@pytest.mark.parametrize("count", [None, 0])
def test_nothing_said_is_no_problem(others: dict[str, TopicInfo], count: int | None) -> None:
    if count is not None:
        others = {**others, "/a/camera_info": TopicInfo("/a/camera_info", CAMERA_INFO_TYPE, count)}
    for images in ("/a/image_raw", "/b/image_raw"):
        log = CameraLog(others, images)
        log.saw(640, 480)
        assert log.result() == (None, [])


def test_what_is_elsewhere_is_named_only_where_nothing_is_beside(log: CameraLog) -> None:
    log.add(info())
    assert log.result() == (CAMERA, [])
    silent = {"/right/camera_info": TopicInfo("/right/camera_info", CAMERA_INFO_TYPE, 0)}
    for lost, listed in (
        (CameraLog(TOPICS, "/image_raw"), "/left/camera_info, /right/camera_info"),
        (CameraLog({**TOPICS, **silent}, "/right/image_raw"), "/left/camera_info"),
    ):
        camera, (problem,) = lost.result()
        assert camera is None
        assert "no camera_info beside " in problem
        assert problem.endswith(f"choose it with --camera-info-topic: {listed}")


@pytest.mark.parametrize("given", ["/left/camera_info", "left/camera_info"])
def test_the_one_that_was_chosen(given: str) -> None:
    log = CameraLog(TOPICS, "/right/image_raw", given)
    assert log.topic == "/left/camera_info"
    (said,) = log.result()[1]
    assert said == "/left/camera_info says nothing: the segment names no camera"
    log.add(info())
    assert log.result() == (CAMERA, [])


def test_a_choice_that_cannot_be_is_refused() -> None:
    with pytest.raises(
        BagError, match=r"/lost \(--camera-info-topic\) is not in the bag; it holds: /left"
    ):
        CameraLog(TOPICS, "/right/image_raw", "/lost")
    other = {"/imu": TopicInfo("/imu", "sensor_msgs/msg/Imu", 9)}
    with pytest.raises(
        BagError, match=r"\(--camera-info-topic\) is sensor_msgs/msg/Imu, but .*CameraInfo"
    ):
        CameraLog(other, "/right/image_raw", "/imu")


@pytest.mark.parametrize(
    ("images", "said", "rectified"),
    [
        ("/right/image_raw", False, False),
        ("/right/image_rect", False, True),
        ("/right/image_raw", True, True),
    ],
)
def test_rectified_images_have_the_matrix_p(images: str, said: bool, rectified: bool) -> None:
    log = CameraLog(TOPICS, images, rectified=said)
    log.add(info(p=[400.0, 0, 319.5, 0, 0, 410.0, 239.5, 0, 0, 0, 1, 0]))
    assert log.result()[0] == (
        CameraModel(640, 480, 400.0, 410.0, 319.5, 239.5) if rectified else CAMERA
    )


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
