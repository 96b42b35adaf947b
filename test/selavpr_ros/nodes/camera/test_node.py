from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import SelaVPRError
from selavpr_ros.nodes.camera.frame_monitor import FrameMonitor
from selavpr_ros.nodes.camera.mailbox import Frame
from selavpr_ros.nodes.camera.parameters import CameraSettings
from selavpr_ros.nodes.ros.status import Level, Status

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Empty
from std_srvs.srv import SetBool

from selavpr_ros.nodes.camera import node as camera_node
from selavpr_ros.nodes.camera.image_subscription import CAMERA_QOS
from selavpr_ros.nodes.camera.node import CameraNode
from test.selavpr_ros.nodes.live import PATIENCE
from test.selavpr_ros.nodes.live_messages import image_message

pytestmark = pytest.mark.ros

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
GREY = np.zeros((4, 4, 3), np.uint8)


class Monitor(FrameMonitor):
    """Has nothing to add."""

    def __init__(self) -> None:
        super().__init__("not watching", "nothing watched")

    def _verdict(self) -> tuple[Level, str, str] | None:
        return None

    def _figures(self, seconds: float) -> dict[str, str]:
        return {}


class Watching(CameraNode[CameraSettings]):
    """Keeps what it is given; images of second 13 raise, of second 99 wait for `go_on`."""

    def __init__(self) -> None:
        self.loaded = False
        self.freed = 0
        self.done: list[str] = []
        self.went_on = threading.Condition()
        self.held, self.go_on = threading.Event(), threading.Event()
        super().__init__("watching", "watching", "watching images", CameraSettings(), Monitor())

    def _load(self) -> None:
        if self._settings.weights == "gone.pth":
            raise SelaVPRError("no such weights: gone.pth")
        self.loaded = True

    def _begin(self) -> None:
        self._listen(Empty, "beside", lambda message: None, CAMERA_QOS)

    def _take_in(self, message: Any) -> None:
        if not self._paused:
            self._mailbox.put(message)

    def _work(self, frame: Frame[Any]) -> None:
        second = frame.item.header.stamp.sec
        if second == 13:
            raise RuntimeError("bad luck")
        if second == 99:
            self.held.set()
            self.go_on.wait()
        self._note(f"worked on {second}")

    def _failed(self, frame: Frame[Any], reason: str) -> None:
        self._note(reason)

    def _free(self) -> None:
        self.loaded, self.freed = False, self.freed + 1
        super()._free()

    def _facts(self) -> dict[str, str]:
        return {"loaded": str(self.loaded)}

    def _status(self) -> Status:
        situation = self._situation(untrained=False, problem=None)
        mailbox = self._mailbox
        return self._monitor.status(situation, mailbox.received, mailbox.dropped, self._now(), 0.0)

    # What tests do with it

    def _note(self, what: str) -> None:
        with self.went_on:
            self.done.append(what)
            self.went_on.notify_all()

    def show(self, second: int) -> None:
        """As if an image of this second had come."""
        self._on_image(image_message(GREY, second))

    def wait_until_done(self, what: str) -> None:
        with self.went_on:
            assert self.went_on.wait_for(lambda: what in self.done, PATIENCE), self.done

    def give(self, name: str, value: Any) -> None:
        (result,) = self.set_parameters([Parameter(name, value=value)])
        assert result.successful, result.reason

    def status(self) -> Status:
        return self._status()

    def topic(self) -> str:
        return self._image_topic()

    def pause(self, paused: bool) -> str:
        response = self._on_pause(SetBool.Request(data=paused), SetBool.Response())
        assert response.success
        return str(response.message)

    @property
    def topics(self) -> set[str]:
        return {subscription.topic_name for subscription in self.subscriptions}


@pytest.fixture(scope="module")
def ros(domain: int) -> Iterator[None]:
    arguments = ["--ros-args", "-r", "__ns:=/robot", "-r", "image:=/cam/front"]
    rclpy.init(args=arguments, domain_id=domain)
    yield
    rclpy.shutdown()


@pytest.fixture
def node(ros: None) -> Iterator[Watching]:
    node = Watching()
    yield node
    node.go_on.set()
    assert node.close()
    node.destroy_node()


def test_what_cannot_be_loaded_is_said_until_it_is_mended(node: Watching) -> None:
    node.give("weights", "gone.pth")
    assert node.trigger_configure() is FAILURE
    status = node.status()
    assert (status.level, status.message) == (Level.ERROR, "no such weights: gone.pth")
    assert (node.loaded, node.freed) == (False, 1)
    node.give("weights", "")
    assert node.trigger_configure() is SUCCESS
    assert node.loaded
    assert node.status().message == "not watching: the node is inactive"


def test_it_listens_while_it_is_active(node: Watching) -> None:
    assert node.trigger_configure() is SUCCESS
    before = node.topics
    for _ in range(2):
        assert node.trigger_activate() is SUCCESS
        assert node.topics - before == {"/cam/front", "/robot/beside"}
        assert node.trigger_deactivate() is SUCCESS
        assert node.topics == before
    assert node.trigger_cleanup() is SUCCESS
    assert not node.loaded


def test_compressed_images_lie_beside_a_remapped_topic(node: Watching) -> None:
    assert node.topic() == "/cam/front"
    node.give("image_transport", "compressed")
    assert node.trigger_configure() is SUCCESS
    assert node.topic() == "/cam/front/compressed"


def test_an_image_that_raises_is_reported_and_the_next_is_worked_on(node: Watching) -> None:
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    node.show(13)
    node.wait_until_done("RuntimeError: bad luck")
    node.show(14)
    node.wait_until_done("worked on 14")


def test_deactivating_waits_for_the_frame_in_work(
    node: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    node.show(99)
    assert node.held.wait(PATIENCE)
    node.show(100)  # comes too late
    mailbox = node._mailbox
    close = mailbox.close

    def close_and_go_on() -> None:
        close()
        node.go_on.set()

    monkeypatch.setattr(mailbox, "close", close_and_go_on)
    assert node.trigger_deactivate() is SUCCESS
    assert node.done == ["worked on 99"]


def test_paused_it_takes_no_image_in(node: Watching) -> None:
    assert node.pause(True) == "paused once the node is active; it is unconfigured"
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    node.show(1)
    assert node.status().message == "not watching: paused"
    assert node.status().values["images received"] == "0"
    assert node.pause(False) == "watching images"
    node.show(2)
    node.wait_until_done("worked on 2")


def test_a_camera_that_is_silent_has_a_hint(
    node: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    node.show(1)
    assert node.status().values["image reliability"] == "reliable"
    now = node._now()
    monkeypatch.setattr(node, "_now", lambda: now + 10**10)
    assert node.status().message.endswith(" on /cam/front for 10 s (nobody publishes it)")
    assert node.trigger_deactivate() is SUCCESS
    assert "image reliability" not in node.status().values


def test_nothing_is_freed_under_a_frame_that_takes_too_long(
    node: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_node, "WORKER_STOP", 0.01)
    assert node.trigger_configure() is SUCCESS
    assert node.trigger_activate() is SUCCESS
    node.show(99)
    assert node.held.wait(PATIENCE)
    worker = node._worker
    assert not node.close()
    assert (node.loaded, node.freed) == (True, 0)
    node.go_on.set()
    assert worker is not None
    assert worker.stop(PATIENCE)
