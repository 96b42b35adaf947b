from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path as Folder
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from selavpr_ros.nodes.loop_parameters import LoopSettings
from test.selavpr_ros.nodes.conftest import pattern
from test.selavpr_ros.nodes.live import NodeProcess, Probe, RemoteNode
from test.selavpr_ros.nodes.test_localization_node import at, image_message, values

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

pytestmark = pytest.mark.ros

NAME, TASK, EXECUTABLE = "/loop_closure_node", "loop closure", "loop_closure_node"

# Blobs have no corners: what geometry says of pictures is tested where it is made.
PLAIN: dict[str, Any] = {
    "weights": "random:tiny",
    "geometry": False,
    "consistency": False,
    "similarity_threshold": 0.999,
    "match_distance": 2.0,
    "exclusion_seconds": 3.0,
    "exclusion_metres": 3.0,
    "autosave_seconds": 0.0,
}
PLACES = 8  # of a round trip, 2 m apart
START = 1000  # s


@pytest.fixture(scope="module")
def process(domain: int) -> Iterator[NodeProcess]:
    process = NodeProcess(domain, executable=EXECUTABLE)
    yield process
    process.close()


@pytest.fixture
def node(process: NodeProcess, probe: Probe) -> RemoteNode:
    """The node, unconfigured, with parameters for a drive past blobs."""
    assert process.process.poll() is None, process.output
    node = RemoteNode(probe, NAME, TASK)
    node.unconfigure()
    node.pause(False)
    assert node.set_parameters(**(vars(LoopSettings()) | PLAIN)) == []
    for topic, kind in (
        ("keyframe", PoseStamped),
        ("closure", Path),
        ("closure_info", String),
        ("markers", MarkerArray),
    ):
        if not probe.listens(node.topic(topic)):
            probe.listen(node.topic(topic), kind, 100)
    probe.clear()
    return node


def activate(node: RemoteNode, **parameters: Any) -> None:
    assert node.set_parameters(**parameters) == []
    assert node.configure(), node.wait_for_status(".").message
    assert node.activate()


def where(step: int) -> tuple[float, float, float]:
    """x, y and yaw after `step` steps of 2 m round the circuit, counter-clockwise."""
    radius = 2.0 * PLACES / math.tau
    turn = step / PLACES * math.tau
    return radius * math.cos(turn), radius * math.sin(turn), turn + math.pi / 2


def odometry(seconds: int, pose: tuple[float, float, float], frame: str = "odom") -> Odometry:
    x, y, yaw = pose
    message = Odometry(child_frame_id="base_link")
    message.header.frame_id = frame
    message.header.stamp.sec = seconds
    message.pose.pose.position.x, message.pose.pose.position.y = x, y
    message.pose.pose.orientation.z = math.sin(yaw / 2)
    message.pose.pose.orientation.w = math.cos(yaw / 2)
    return message


def see(
    node: RemoteNode,
    rgb: NDArray[np.uint8],
    seconds: int,
    pose: tuple[float, float, float] | None,
) -> PoseStamped:
    """Show the node an image, with the odometry of its stamp, until it is a keyframe."""
    probe, message = node.probe, image_message(rgb, seconds)

    def show() -> None:
        if pose is not None:
            probe.publish("/odom", odometry(seconds, pose))
        probe.publish("/image", message)

    return probe.wait_for(node.topic("keyframe"), at(seconds), doing=show)


def drive(node: RemoteNode, steps: range, start: int = START) -> None:
    for step in steps:
        see(node, pattern(step % PLACES), start + step, where(step))


def reports(node: RemoteNode) -> list[dict[str, Any]]:
    return [json.loads(message.data) for message in node.probe.heard(node.topic("closure_info"))]


def counted(node: RemoteNode, **wanted: str) -> dict[str, str]:
    """The values of diagnostics once they are as wanted; _ stands for a blank."""
    names = {key.replace("_", " "): value for key, value in wanted.items()}

    def there(array: Any) -> bool:
        seen = values(array.status[0])
        return array.status[0].name.endswith(TASK) and names.items() <= seen.items()

    return values(node.probe.wait_for("/diagnostics", there, why=f"with {names}").status[0])


def test_the_second_lap_closes_the_loop(node: RemoteNode, probe: Probe) -> None:
    activate(node)
    drive(node, range(2 * PLACES - 4))
    again = PLACES - 4
    probe.wait_for(node.topic("closure"), at(START + 2 * PLACES - 5))
    paths = probe.heard(node.topic("closure"))
    assert len(paths) == again
    for step, path in enumerate(paths):
        match, query = path.poses  # exactly two
        assert match.header.stamp.sec == START + step
        assert query.header.stamp.sec == START + PLACES + step
        assert path.header == query.header
        assert match.header.frame_id == query.header.frame_id == "odom"
        for pose in (match.pose, query.pose):
            assert (pose.position.x, pose.position.y) == pytest.approx(where(step)[:2], abs=1e-9)
            q = pose.orientation  # of opposite signs it is the same
            yaw = 2 * math.atan2(q.z, q.w)
            assert math.remainder(yaw - where(step)[2], math.tau) == pytest.approx(0, abs=1e-9)
    told = reports(node)
    assert len(told) == again
    assert told[2]["match"]["number"] == 2
    assert told[2]["query"]["number"] == PLACES + 2
    assert told[2]["query"]["stamp"] == (START + PLACES + 2) * 10**9
    assert told[2]["similarity"] == pytest.approx(1.0, abs=1e-3)
    assert told[2]["hamming"] == 0
    assert told[2]["verification"]["plausibility"]["distance"] == 0.0
    lines = [array.markers[0] for array in probe.heard(node.topic("markers"))]
    assert len({line.id for line in lines}) == again
    assert all(len(line.points) == 2 and line.header.frame_id == "odom" for line in lines)
    seen = counted(node, keyframes=str(2 * PLACES - 4), closures=str(again))
    assert int(seen["rejected by similarity"]) > 0
    assert node.wait_for_status(r"^looking for loops: 12 keyframes, 4 closures.*untrained")


@pytest.mark.shared
def test_the_toshiki_loop_finds_its_closing(
    node: RemoteNode, probe: Probe, tiny_weights: str, shared: Folder
) -> None:
    """With every verification, by what comes with the package: no other closure than the true."""
    from rosbags.highlevel import AnyReader

    usual = vars(LoopSettings())
    activate(
        node,
        **(PLAIN | {name: usual[name] for name in PLAIN} | {"autosave_seconds": 0.0}),
        image_transport="compressed",
    )
    camera = probe.publisher("/image/compressed", CompressedImage)
    wheels = probe.publisher("/odom", Odometry)
    probe.until(camera.get_subscription_count, "subscription")
    probe.until(wheels.get_subscription_count, "subscription")
    with AnyReader([shared / "data" / "bags" / "toshiki_loop"]) as reader:
        pose = b""
        for connection, _, raw in reader.messages():
            if connection.topic == "/odom":
                pose = raw
                continue
            stamp = reader.deserialize(raw, connection.msgtype).header.stamp.sec

            def play(pose: bytes = pose, raw: bytes = raw) -> None:
                wheels.publish(pose)
                camera.publish(raw)

            probe.wait_for(node.topic("keyframe"), at(stamp), doing=play)
    seen = counted(node, keyframes="72")
    print(json.dumps(reports(node), indent=1))
    print(seen)
