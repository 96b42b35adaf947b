"""The localization node in a process of its own, and a bag played to it frame by frame.

The node takes the newest frame and drops the others, as a robot needs it; here every frame is to be
answered, so the next one is sent when the answer to the last has come. Everything goes over DDS.
"""

from __future__ import annotations

import array
import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import Header, String

from examples.demo import processes
from examples.demo.answers import Answer, Replay, latencies
from examples.demo.errors import DemoError
from examples.demo.topics import Topics
from selavpr_ros.bags import BagReader, stamp_of
from selavpr_ros.nodes.localization.outputs.messages import CANDIDATE_FIELDS
from selavpr_ros.nodes.ros.messages import stamp_nanoseconds

NODE = "/localization_node"
_START = 60.0  # seconds that the node's process has to offer its services
_CONFIGURE = 600.0  # to load weights and map; a large model on a slow disk takes long
_ANSWER = 120.0  # to answer one frame
_POSE = 5.0  # for a state and a pose after their candidates
_LOST = 2.5  # after which a frame that the node has not counted is sent again


def play(
    bag: Path,
    topics: Topics,
    map_path: Path,
    threshold: float | None,
    frames: int,
    folder: Path,
    progress: Callable[[int, int], None],
) -> Replay:
    """Start the node with a map, play at most `frames` images of a bag to it, and end it.

    The images are chosen evenly over the bag. threshold: the node's similarity_threshold, None
    for what the map says. folder: gets node.yaml and node.log. Raises BagError, DemoError.
    """
    with BagReader(bag) as reader:
        topic = topics.image_in(reader)
        info = reader.topics[topic]
        compressed = info.type == "sensor_msgs/msg/CompressedImage"
        parameters: dict[str, Any] = {
            "map": str(map_path.resolve()),
            "image_transport": "compressed" if compressed else "raw",
        }
        if threshold is not None:
            parameters["similarity_threshold"] = threshold
        chosen = set(np.linspace(0, info.count - 1, min(frames, info.count)).round().astype(int))
        with _node(parameters, topic, compressed, folder) as process, _player() as player:
            player.begin(process, folder / "node.log", topic, compressed)
            answers = []
            for number, (_, bag_stamp, message) in enumerate(reader.messages({topic})):
                if number in chosen:
                    answers.append(player.ask(message, stamp_of(message, bag_stamp)))
                    progress(len(answers), len(chosen))
            values = player.final_diagnostics()
    return Replay(tuple(answers), latencies(values), values)


@contextmanager
def _node(
    parameters: dict[str, Any], topic: str, compressed: bool, folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The node's process, not yet configured."""
    # JSON's spelling of texts and numbers is YAML's, too.
    lines = [f"    {name}: {json.dumps(value)}" for name, value in parameters.items()]
    file = folder / "node.yaml"
    file.write_text("\n".join([f"{NODE}:", "  ros__parameters:", *lines, ""]))
    image = "image/compressed" if compressed else "image"
    command = processes.python(
        "selavpr_ros.nodes.localization_node",
        "--ros-args", "--params-file", str(file), "-r", f"{image}:={topic}",
    )  # fmt: skip
    with processes.running(command, folder / "node.log") as process:
        yield process


@contextmanager
def _player() -> Iterator[_Player]:
    # Ctrl-C must unwind this program: rclpy's own handlers would only end its context.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        player = _Player()
        try:
            yield player
        finally:
            player.node.destroy_node()
    finally:
        rclpy.try_shutdown()


class _Player:
    """Sends images and collects what the node publishes about each of them."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("demo_player")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()
        self._compressed = False
        self._publisher: Any = None
        self._poses: dict[int, PoseWithCovarianceStamped] = {}
        self._states: dict[int, str] = {}
        self._clouds: dict[int, PointCloud2] = {}
        self._status: DiagnosticStatus | None = None
        self._values: dict[str, str] = {}
        self._received = 0  # images that the node must have counted
        subscribe = self.node.create_subscription
        subscribe(PoseWithCovarianceStamped, f"{NODE}/pose", self._on_pose, 10)
        subscribe(String, f"{NODE}/state", self._on_state, 10)
        subscribe(PointCloud2, f"{NODE}/candidate_cloud", self._on_cloud, 10)
        subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._change_state = self.node.create_client(ChangeState, f"{NODE}/change_state")

    def begin(
        self, process: subprocess.Popen[bytes], log: Path, topic: str, compressed: bool
    ) -> None:
        """Wait for the node, configure and activate it, and be heard by it."""
        self._process, self._log, self._compressed = process, log, compressed
        if not self._spin_until(self._change_state.service_is_ready, _START):
            raise DemoError(f"the node did not offer its services within {_START:.0f} s: see {log}")
        for transition, name in (
            (Transition.TRANSITION_CONFIGURE, "configured"),
            (Transition.TRANSITION_ACTIVATE, "activated"),
        ):
            request = ChangeState.Request(transition=Transition(id=transition))
            future = self._change_state.call_async(request)
            if not self._spin_until(future.done, _CONFIGURE):
                raise DemoError(f"the node was not {name} within {_CONFIGURE:.0f} s: see {log}")
            if not future.result().success:
                # The reason comes with the diagnostics that the node sends at once.
                self._spin_until(lambda: self._level() >= 2, 3.0)
                reason = self._status.message if self._status is not None else f"see {log}"
                raise DemoError(f"the node cannot be {name}: {reason}")
        message_type = CompressedImage if compressed else Image
        self._publisher = self.node.create_publisher(message_type, topic, 1)
        if not self._spin_until(lambda: self._publisher.get_subscription_count() > 0, 20.0):
            raise DemoError(f"the node does not hear {topic}: does this machine allow UDP on lo?")

    def ask(self, recorded: Any, stamp: int) -> Answer:
        """Send an image, and wait for what the node says to it."""
        message = _to_ros(recorded, stamp, self._compressed)
        undecodable, failed = self._count("images undecodable"), self._count("frames failed")
        sent = started = time.monotonic()
        self._publisher.publish(message)
        while time.monotonic() - started < _ANSWER:
            self._spin_once()
            seconds = time.monotonic() - started
            if stamp in self._clouds:
                self._received += 1
                return self._answer(stamp, seconds)
            for name, before, outcome in (
                ("images undecodable", undecodable, "undecodable"),
                ("frames failed", failed, "failed"),
            ):
                if self._count(name) > before:
                    self._received += 1
                    return Answer(stamp, outcome, seconds)
            if time.monotonic() - sent > _LOST and self._is_lost():
                sent = time.monotonic()
                self._publisher.publish(message)
        self._received = self._count("images received")
        return Answer(stamp, "no answer", time.monotonic() - started)

    def _is_lost(self) -> bool:
        """Whether the node has never seen the last image, or its answer did not arrive.

        The camera's messages may be lost on their way (BEST_EFFORT), and so may the first answers
        while the two processes still make each other's acquaintance.
        """
        received, processed = self._count("images received"), self._count("images processed")
        if received > self._received and processed >= received:
            self._received += 1
            return True
        return received == self._received and bool(self._values)

    def _answer(self, stamp: int, seconds: float) -> Answer:
        cloud = self._clouds.pop(stamp)
        points = np.frombuffer(bytes(cloud.data), CANDIDATE_FIELDS)
        places = tuple(int(place) for place in points["place_id"])
        similarities = tuple(float(score) for score in points["score"])
        # State and pose are published before the candidates, but on topics of their own.
        self._spin_until(lambda: stamp in self._states, _POSE)
        if self._states.pop(stamp, None) == "localised":
            self._spin_until(lambda: stamp in self._poses, _POSE)
        pose = self._poses.pop(stamp, None)
        if pose is None:
            return Answer(
                stamp, "not in the map", seconds, places=places, similarities=similarities
            )
        at, turn = pose.pose.pose.position, pose.pose.pose.orientation
        covariance = np.asarray(pose.pose.covariance).reshape(6, 6)
        return Answer(
            stamp,
            "localised",
            seconds,
            position=(at.x, at.y, at.z),
            yaw=2 * math.atan2(turn.z, turn.w),
            sigma=float(np.sqrt(np.linalg.eigvalsh(covariance[:2, :2])[-1])),
            places=places,
            similarities=similarities,
        )

    def final_diagnostics(self) -> dict[str, str]:
        """What the node says about itself once it has counted every frame."""
        self._spin_until(lambda: self._count("images processed") >= self._received, 5.0)
        return dict(self._values)

    def _count(self, name: str) -> int:
        return int(self._values.get(name, 0))

    def _level(self) -> int:
        return -1 if self._status is None else ord(self._status.level)

    def _spin_once(self) -> None:
        self._executor.spin_once(timeout_sec=0.1)
        if self._process is not None and self._process.poll() is not None:
            lines = self._log.read_text(errors="replace").strip().splitlines()
            said = lines[-1] if lines else "nothing"
            raise DemoError(
                f"the node ended with code {self._process.returncode}; its last words: {said}"
            )

    def _spin_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._spin_once()
        return True

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self._poses[stamp_nanoseconds(message.header.stamp)] = message

    def _on_state(self, message: String) -> None:
        state = json.loads(message.data)
        self._states[state["stamp"]] = state["state"]

    def _on_cloud(self, message: PointCloud2) -> None:
        self._clouds[stamp_nanoseconds(message.header.stamp)] = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if NODE.strip("/") in status.name:
                self._status = status
                self._values = {entry.key: entry.value for entry in status.values}


def _to_ros(recorded: Any, stamp: int, compressed: bool) -> CompressedImage | Image:
    """A recorded image as a message of rclpy, with the stamp in ns."""
    header = Header(
        stamp=Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000),
        frame_id=recorded.header.frame_id,
    )
    data = array.array("B", bytes(recorded.data))
    if compressed:
        return CompressedImage(header=header, format=recorded.format, data=data)
    return Image(
        header=header,
        height=recorded.height,
        width=recorded.width,
        encoding=recorded.encoding,
        is_bigendian=recorded.is_bigendian,
        step=recorded.step,
        data=data,
    )
