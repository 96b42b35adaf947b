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

from selavpr_ros.nodes.loop_closure.parameters import LoopSettings
from test.selavpr_ros.nodes.conftest import pattern
from test.selavpr_ros.nodes.live import NodeProcess, Probe, RemoteNode

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from test.selavpr_ros.nodes.live_messages import at, image_message, odometry_message, values

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
    "image_timeout": 600.0,  # however slow the machine is
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
        ("match_image", Image),
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
    message = odometry_message(seconds, x, yaw, frame)
    message.pose.pose.position.y = y
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


def heard(node: RemoteNode, name: str, count: int) -> list[Any]:
    """What was heard on a topic of the node, once it is so much: one may be later than another."""
    probe, topic = node.probe, node.topic(name)
    probe.wait_for(topic, lambda _: len(probe.heard(topic)) >= count, why=f"{count} times")
    return probe.heard(topic)


def reports(node: RemoteNode, count: int) -> list[dict[str, Any]]:
    """What was told of closures, once there are so many."""
    return [json.loads(message.data) for message in heard(node, "closure_info", count)]


def drawn(node: RemoteNode, namespace: str) -> list[Any]:
    arrays = node.probe.heard(node.topic("markers"))
    return [marker for array in arrays for marker in array.markers if marker.ns == namespace]


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
    paths = heard(node, "closure", again)
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
    told = reports(node, again)
    assert len(told) == again
    assert told[2]["match"]["number"] == 2
    assert told[2]["query"]["number"] == PLACES + 2
    assert told[2]["query"]["stamp"] == (START + PLACES + 2) * 10**9
    assert told[2]["similarity"] == pytest.approx(1.0, abs=1e-3)
    assert told[2]["hamming"] == 0
    assert told[2]["verification"]["plausibility"]["distance"] == 0.0
    # The last of what is drawn.
    probe.wait_for(
        node.topic("markers"),
        lambda array: [len(marker.points) for marker in array.markers] == [2 * PLACES - 4],
        why="with all keyframes",
    )
    lines = drawn(node, "closures")
    assert len({line.id for line in lines}) == again
    assert all(len(line.points) == 2 and line.header.frame_id == "odom" for line in lines)
    probe.wait_for(node.topic("match_image"), at(START + 2 * PLACES - 5))
    pictures = heard(node, "match_image", again)
    assert [picture.header.stamp.sec for picture in pictures] == [
        START + PLACES + step for step in range(again)
    ]
    assert pictures[0].header.frame_id == "camera"
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
    # The bag ends where it began: its last two frames see its first ones.
    probe.wait_for(
        node.topic("closure_info"),
        lambda message: json.loads(message.data)["query"]["number"] == 71,
    )
    found = {told["query"]["number"]: told["match"]["number"] for told in reports(node, 2)}
    assert found.keys() >= {70, 71}
    assert all(query >= 66 and match <= 6 for query, match in found.items())
    # To untrained weights everything looks alike.
    seen = counted(node, keyframes="72", closures=str(len(found)))
    assert int(seen["rejected by similarity"]) >= 10
    assert int(seen["rejected by plausibility"]) >= 10


# Saving


def test_what_is_saved_survives_whatever_ends_the_process(
    domain: int, probe: Probe, tmp_path: Folder
) -> None:
    """Saved by hand, by autosave at the end, and killed in the middle of a file."""
    from selavpr_core.place_map import PlaceMap

    own = tmp_path / "own"
    arguments = ["-r", "__node:=saving", "-p", f"save_to:={own}", "-p", "autosave_seconds:=900.0"]
    plain = [f"{name}:={value}" for name, value in PLAIN.items() if name != "autosave_seconds"]
    arguments += [part for value in plain for part in ("-p", value)]

    def start(prelude: str = "") -> tuple[NodeProcess, RemoteNode]:
        process = NodeProcess(domain, arguments, prelude, EXECUTABLE)
        return process, RemoteNode(probe, "/saving", TASK)

    def activate() -> None:
        assert node.configure(), process.output
        assert node.activate()
        probe.listen(node.topic("keyframe"), PoseStamped, 100)

    process, node = start()
    try:
        activate()
        assert node.trigger("save_map") == (False, "there is no keyframe yet: drive on")
        drive(node, range(2))
        success, told = node.trigger("save_map")
        assert success
        assert told == f"saved 2 keyframes as segment session_19700101_001640 of {own}"
        assert len(PlaceMap.load(own)) == 2
        drive(node, range(2, 5))
        assert process.stop(signal.SIGINT) == 0, process.output
        assert "Traceback" not in process.output
        assert f"saved 5 of 5 keyframes, the last to {own}" in process.output
    finally:
        process.close()
        probe.unpublish("/image")
        probe.unpublish("/odom")
    assert [segment.count for segment in PlaceMap.load(own).segments] == [2, 3]

    process, node = start(HELD_SAVE)
    try:
        activate()
        drive(node, range(2))
        assert node.trigger("save_map")[1].endswith(f"of {own}-2")
        drive(node, range(2, 4))
        probe.call_async(node.topic("save_map"), Trigger)
        process.wait_for_output("half of a file")
        see(node, pattern(4), START + 4, where(4))  # the drive goes on meanwhile
        process.stop(signal.SIGKILL)
    finally:
        process.close()
        probe.unpublish("/image")
        probe.unpublish("/odom")
    assert len(PlaceMap.load(Folder(f"{own}-2"))) == 2


def test_keyframes_that_are_lost_are_told(domain: int, probe: Probe) -> None:
    plain = [part for name, value in PLAIN.items() for part in ("-p", f"{name}:={value}")]
    process = NodeProcess(domain, ["-r", "__node:=losing", *plain], "", EXECUTABLE)
    try:
        node = RemoteNode(probe, "/losing", TASK)
        assert node.configure(), process.output
        assert node.activate()
        probe.listen(node.topic("keyframe"), PoseStamped, 100)
        drive(node, range(2))
        assert process.stop(signal.SIGINT) == 0, process.output
        assert "2 of 2 keyframes are not saved, and lost when this ends" in process.output
        assert "set save_to to a folder" in process.output
    finally:
        process.close()
        probe.unpublish("/image")
        probe.unpublish("/odom")


# Writes half of the second segment's file, and hangs.
HELD_SAVE = """
import time
from selavpr_core.place_map import writer
whole, written = writer.write_tensor_file, []

def half(path, contents, metadata):
    digest = whole(path, contents, metadata)
    written.append(path)
    if len(written) > 2:  # data and thumbnails of the first
        with open(path, "r+b") as file:
            file.truncate(path.stat().st_size // 2)
        print("half of a file", flush=True)
        time.sleep(600)
    return digest

writer.write_tensor_file = half
"""


def test_a_second_session_finds_itself_in_the_first_and_joins_it(
    node: RemoteNode, probe: Probe, tmp_path: Folder
) -> None:
    from selavpr_core.place_map import PlaceMap

    first, length = tmp_path / "first", 12
    activate(node, save_to=str(first))
    for step in range(length):
        see(node, pattern(step), START + step, (2.0 * step, 0.0, 0.0))
    assert node.trigger("save_map")[0]
    node.unconfigure()

    # Switched on elsewhere, and turned: north by its odometry is where the map has east.
    activate(node, save_to="", map=str(first))
    probe.clear()
    for step in range(3):
        see(node, pattern(step), 5000 + step, (7.0, 2.0 * step, math.pi / 2))
    success, told = node.trigger("save_map")
    assert success
    assert f"of {first}-session, a map of its own beside {first}: 3 verified closures" in told
    for step in range(3, length):
        see(node, pattern(step), 5000 + step, (7.0, 2.0 * step, math.pi / 2))
    seen = counted(node, closures_into_the_map=str(length))
    assert seen["tied to the map"] == f"by {length} of {length} closures, 0.0 m apart"
    for step, path in enumerate(heard(node, "closure", length)):
        match, query = path.poses
        assert (match.header.frame_id, query.header.frame_id) == ("map", "odom")
        assert match.header.stamp.sec == START + step
        assert match.pose.position.x == pytest.approx(2.0 * step)
        assert query.pose.position.y == pytest.approx(2.0 * step)
    assert reports(node, length)[4]["match"]["segment"].startswith("session_")
    # Drawn where odometry has the match, as soon as that is known.
    last = probe.wait_for(
        node.topic("markers"),
        lambda array: (
            (array.markers[0].ns, array.markers[0].header.stamp.sec)
            == ("closures into the map", 5000 + length - 1)
        ),
    )
    line = last.markers[0]
    assert line.points[0].y == pytest.approx(2.0 * (length - 1), abs=1e-3)
    assert len(drawn(node, "closures into the map")) == length  # those of before, too
    success, told = node.trigger("save_map")
    assert (success, "beside" in told) == (True, False)
    assert told.endswith(f"of {first}")
    assert not Folder(f"{first}-session").exists()
    joined = PlaceMap.load(first)
    assert [segment.count for segment in joined.segments] == [length, length]
    np.testing.assert_allclose(joined.positions[length:], joined.positions[:length], atol=1e-3)
    np.testing.assert_allclose(joined.headings[length:], 0.0, atol=1e-3)


# Stretches and odometry


def test_a_gap_and_a_jump_back_are_reported(
    node: RemoteNode, probe: Probe, process: NodeProcess, tmp_path: Folder
) -> None:
    from selavpr_core.place_map import PlaceMap

    own = tmp_path / "own"
    activate(node, save_to=str(own))
    before = process.line_count
    drive(node, range(3))
    drive(node, range(3, 5), start=START + 60)
    assert process.wait_for_output(
        r"\[WARN\].*new stretch: 1, after a gap of 61\.0 s, from keyframe 3 on", before
    )
    # What has no stamp is no jump back.
    node.wait_for_status(
        "no keyframe: the image has no stamp",
        lambda: [
            probe.publish("/odom", odometry(0, where(4))),
            probe.publish("/image", image_message(pattern(4), 0)),
        ],
    )
    drive(node, range(2), start=10)
    assert process.wait_for_output("new stretch: 2, after time jumped back by 1054.0 s", before)
    # What was seen before is found all the same.
    told = reports(node, 2)[-1]
    assert (told["match"]["number"], told["query"]["number"]) == (1, 6)
    assert (told["match"]["stretch"], told["query"]["stretch"]) == (0, 2)
    counted(node, stretch="2, after time jumped back by 1054.0 s, from keyframe 5 on")
    # Odometry may have begun anew: two maps.
    assert node.trigger("save_map")[1].endswith(f"of {own}-2")
    assert (len(PlaceMap.load(own)), len(PlaceMap.load(Folder(f"{own}-2")))) == (5, 2)


def test_a_jump_of_odometry_is_reported(
    node: RemoteNode, probe: Probe, process: NodeProcess
) -> None:
    activate(node)
    before = process.line_count
    drive(node, range(3))
    counted(node, odometry_jumps="0")
    x, y, yaw = where(2)
    see(node, pattern(3), START + 3, (x + 500.0, y, yaw))
    assert process.wait_for_output(r"\[WARN\].*odometry jumped by 500\.0 m within 1\.00 s", before)
    assert process.wait_for_output(
        r"\[WARN\].*new stretch: 1, after odometry jumped, from keyframe 3 on", before
    )
    status = node.wait_for_status("4 keyframes.*; odometry jumped by 500.0 m within 1.00 s")
    assert status.level == b"\x01"
    counted(node, odometry_jumps="1", stretch="1, after odometry jumped, from keyframe 3 on")
    # The session goes on after a deactivation, and odometry where it was.
    assert node.deactivate()
    assert node.activate()
    see(node, pattern(4), START + 4, (x + 498.0, y, yaw))
    counted(node, odometry_jumps="0", stretch="1, after odometry jumped, from keyframe 3 on")


def test_without_odometry_keyframes_come_by_time(node: RemoteNode, probe: Probe) -> None:
    activate(node, odometry_timeout=0.0, keyframe_seconds=2.0)
    for seconds in (0, 2, 4):
        see(node, pattern(seconds), START + seconds, None)
    see(node, pattern(0), START + 6, None)
    path = probe.wait_for(node.topic("closure"))
    assert [pose.header.frame_id for pose in path.poses] == ["", ""]
    assert [pose.header.stamp.sec for pose in path.poses] == [START, START + 6]
    assert reports(node, 1)[0]["query"]["pose"] is None
    assert probe.heard(node.topic("markers")) == []
    status = node.wait_for_status("4 keyframes.*; no odometry on /odom for .* keyframes by time")
    assert status.level == b"\x01"
    success, told = node.trigger("save_map")
    assert (success, told) == (False, "nowhere to save to: set the parameter save_to to a folder")
    node.wait_for_status("saving failed: nowhere to save to")


def test_odometry_that_cannot_be_used_is_named(node: RemoteNode, probe: Probe) -> None:
    activate(node)
    drive(node, range(2))
    node.wait_for_status(
        "odometry cannot be used: it is in frame 'wheels' now, and was in 'odom'",
        lambda: probe.publish("/odom", odometry(START + 2, where(2), frame="wheels")),
    )
    # An image without odometry is let go, and the next one with it is taken.
    probe.publish("/image", image_message(pattern(2), START + 2))
    counted(node, images_without_odometry="1", keyframes="2")
    drive(node, range(3, 4))


def test_the_camera_of_camera_info_verifies(
    node: RemoteNode, probe: Probe, tmp_path: Folder
) -> None:
    """Pictures with corners: with a calibrated camera the geometry is an essential matrix.

    It goes with the session into its map, and is known to the next one.
    """
    from selavpr_core.place_map import PlaceMap
    from test.selavpr_ros.loop_closure.circuit import picture

    saved = tmp_path / "saved"
    activate(node, geometry=True, min_inliers=15, save_to=str(saved))
    info = CameraInfo(width=64, height=48, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]

    def heard() -> None:
        probe.wait_for(
            "/diagnostics",
            lambda array: values(array.status[0]).get("camera") == "known",
            doing=lambda: probe.publish("/camera_info", info),
        )

    heard()
    for step in range(PLACES + 1):
        see(node, picture(step % PLACES), START + step, where(step))
    geometry = reports(node, 1)[0]["verification"]["geometry"]
    assert geometry["model"] == "essential"
    assert geometry["rotation"][3] == pytest.approx(1.0, abs=1e-2)
    assert node.trigger("save_map")[0]
    (segment,) = PlaceMap.load(saved).segments
    assert segment.camera is not None
    assert (segment.camera.width, segment.camera.fx, segment.camera.cy) == (64, 60.0, 23.5)
    node.unconfigure()

    activate(node, save_to="", map=str(saved))
    counted(node, camera="unknown: no camera_info")  # the session before may have had another
    heard()
    probe.clear()
    for step in range(5):
        see(node, picture(step), 5000 + step, where(step))
    told = reports(node, 1)[0]
    assert told["match"]["segment"] == segment.name
    assert told["verification"]["geometry"]["model"] == "essential"
    assert told["verification"]["geometry"]["rotation"][3] == pytest.approx(1.0, abs=1e-2)
    probe.unpublish("/camera_info")


def test_a_camera_info_of_another_shape_is_not_believed(node: RemoteNode, probe: Probe) -> None:
    from test.selavpr_ros.loop_closure.circuit import picture

    activate(node, geometry=True, min_inliers=15)
    info = CameraInfo(width=64, height=36, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [60.0, 0.0, 31.5, 0.0, 60.0, 17.5, 0.0, 0.0, 1.0]
    probe.wait_for(
        "/diagnostics",
        lambda array: values(array.status[0]).get("camera") == "known",
        doing=lambda: probe.publish("/camera_info", info),
    )
    for step in range(PLACES + 1):
        see(node, picture(step % PLACES), START + step, where(step))
    geometry = reports(node, 1)[0]["verification"]["geometry"]
    assert geometry["model"] == "fundamental"
    assert geometry["rotation"] is None
    refused = "camera_info is of 64 x 36 pixels, which the image, 64 x 48, is not a smaller copy of"
    counted(node, camera=refused)
    probe.unpublish("/camera_info")


# Parameters


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"agreeing": 4, "agreement_window": 3}, "agreeing must lie between 1 and"),
        ({"map": "/no/such/map"}, "/no/such/map"),
        ({"spool_folder": "/dev/null/spool"}, "/dev/null/spool"),
        ({"weights": "/no/such.pth"}, "/no/such.pth"),
    ],
)
def test_what_cannot_work_is_refused_with_one_line(
    node: RemoteNode, process: NodeProcess, parameters: dict[str, Any], reason: str
) -> None:
    assert node.set_parameters(**parameters) == []
    before = process.line_count
    assert not node.configure()
    status = node.wait_for_status(reason)
    assert status.level == b"\x02"
    assert "\n" not in status.message
    process.wait_for_output(r"\[ERROR\].*" + reason, before)
    assert "Traceback" not in "\n".join(process.output.splitlines()[before:])
    success, told = node.trigger("save_map")
    assert (success, told.startswith("the node is unconfigured: ")) == (False, True)


def test_the_declared_parameters_are_those_of_the_parameter_file(
    node: RemoteNode, project: Folder
) -> None:
    text = (project / "config" / "loop_closure.yaml").read_text()
    expected = yaml.safe_load(text)["/**"]["ros__parameters"]
    declared = node.parameters(*expected)
    assert declared == vars(LoopSettings()) | PLAIN
    assert set(declared) == set(expected)
