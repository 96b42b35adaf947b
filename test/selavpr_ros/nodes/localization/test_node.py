from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from selavpr_ros.nodes.localization.parameters import Settings
from test.bags_on_disk import write_bag
from test.selavpr_ros.nodes.camera.test_thresholds import CALIBRATION
from test.selavpr_ros.nodes.conftest import DATUM, SPACING, Street, pattern, write_map
from test.selavpr_ros.nodes.live import PROJECT, NodeProcess, Probe, RemoteNode

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, NavSatFix, PointCloud2
from std_msgs.msg import String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from test.selavpr_ros.nodes.live_messages import at, image_message, odometry_message, values

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
POSE, CANDIDATES, CLOUD = "pose", "candidates", "candidate_cloud"


def points(cloud: PointCloud2) -> NDArray[Any]:
    """The points of a cloud, read by its own description of its fields."""
    kinds = {5: "<i4", 6: "<u4", 7: "<f4"}
    dtype = np.dtype(
        {
            "names": [field.name for field in cloud.fields],
            "formats": [kinds[field.datatype] for field in cloud.fields],
            "offsets": [field.offset for field in cloud.fields],
            "itemsize": cloud.point_step,
        }
    )
    assert len(cloud.data) == cloud.row_step * cloud.height == cloud.point_step * cloud.width
    return np.frombuffer(bytes(cloud.data), dtype)


def see(
    node: RemoteNode, rgb: NDArray[np.uint8], seconds: int, camera: str = "/image"
) -> PoseWithCovarianceStamped:
    """Show the node an image until it answers with a pose of that stamp."""
    topic = node.topic("pose")
    if not node.probe.listens(topic):
        node.probe.listen(topic, PoseWithCovarianceStamped)
    message = image_message(rgb, seconds)
    return node.probe.wait_for(
        topic, at(seconds), doing=lambda: node.probe.publish(camera, message)
    )


def tell_time(probe: Probe, seconds: int) -> None:
    """Publish a simulated time."""
    clock = Clock()
    clock.clock.sec = seconds
    probe.publish("/clock", clock)


@contextmanager
def camera_stream(probe: Probe, topic: str, frame: Callable[[], Image]) -> Iterator[None]:
    """A camera of some hundred frames a second, in a thread of its own."""
    camera = probe.publisher(topic, Image)
    probe.until(camera.get_subscription_count, "subscription")
    ended = threading.Event()

    def publish() -> None:
        while not ended.wait(0.003):
            camera.publish(frame())

    stream = threading.Thread(target=publish)
    stream.start()
    try:
        yield
    finally:
        ended.set()
        stream.join()


# Lifecycle


def test_lifecycle_twice_with_the_camera_subscribed_only_while_active(
    node: RemoteNode, probe: Probe
) -> None:
    camera = probe.publisher("/image", Image)
    for _ in range(2):
        assert node.state() == "unconfigured"
        assert node.configure()
        assert node.state() == "inactive"
        assert camera.get_subscription_count() == 0
        assert node.activate()
        assert node.state() == "active"
        probe.until(camera.get_subscription_count, "subscription")
        assert node.deactivate()
        probe.until(lambda: camera.get_subscription_count() == 0, "end of subscription")
        assert node.cleanup()


def test_an_impossible_transition_is_refused(node: RemoteNode) -> None:
    assert not node.activate()
    assert not node.deactivate()
    assert not node.change_state(77)
    assert node.state() == "unconfigured"


def test_the_whole_configuration_is_logged(
    node: RemoteNode, process: NodeProcess, street: Street
) -> None:
    start = process.line_count
    assert node.configure()
    process.wait_for_output(r"image topic +/image$", after=start)
    logged = process.output.splitlines()[start:]
    for expected in (
        rf"map +{street.path}",
        "similarity_threshold +-2.0",
        r"least similarity +0.500 \(no calibration\)",
        "publish_tf +false",
        f"fingerprint +{street.describer.fingerprint}",
        r"weights in use +random:tiny, preset tiny \(untrained\)",
        "untrained weights",
    ):
        process.wait_for_output(expected, after=start)
    assert sum("configured:" in line for line in logged) == 1


# Results


def test_an_image_of_the_map_is_localised_at_its_place(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    probe.listen(active.topic("pose"), PoseWithCovarianceStamped)
    probe.listen(active.topic("fix"), NavSatFix)
    probe.listen(active.topic("candidates"), PoseArray)
    probe.listen(active.topic("candidate_cloud"), PointCloud2)
    probe.listen(active.topic("markers"), MarkerArray)

    def show() -> None:
        probe.publish("/image", image_message(street.images[9], 1234, 567))

    pose = probe.wait_for(active.topic("pose"), doing=show)
    assert pose.header.frame_id == "map"
    assert (pose.header.stamp.sec, pose.header.stamp.nanosec) == (1234, 567)
    p, q = pose.pose.pose.position, pose.pose.pose.orientation
    assert (p.x, p.y, p.z) == pytest.approx(street.positions[9])
    # Nav2 takes it for /initialpose: unit quaternion, nothing that is not finite, no zero variance.
    assert math.hypot(q.x, q.y, q.z, q.w) == pytest.approx(1.0, abs=1e-6)
    assert 2 * math.atan2(q.z, q.w) == pytest.approx(math.pi / 2, abs=1e-6)
    covariance = np.array(pose.pose.covariance).reshape(6, 6)
    assert np.isfinite(covariance).all()
    assert (np.diag(covariance) > 0).all()
    np.testing.assert_array_equal(covariance, covariance.T)
    # At least the place's own sigma and half the way to the next place.
    assert covariance[0, 0] >= 0.5**2 + (SPACING / 2) ** 2

    fix = probe.wait_for(active.topic("fix"), doing=show)
    assert fix.header.stamp == pose.header.stamp
    assert fix.header.frame_id == "base_link"
    there = DATUM.to_map(fix.latitude, fix.longitude, fix.altitude)
    assert there == pytest.approx(street.positions[9], abs=1e-3)
    assert fix.position_covariance_type == NavSatFix.COVARIANCE_TYPE_KNOWN
    # Turned to true north, the trace stays.
    assert sum(fix.position_covariance[::4]) == pytest.approx(np.trace(covariance[:3, :3]))

    poses = probe.wait_for(active.topic("candidates"), doing=show)
    assert (poses.header.frame_id, poses.header.stamp) == ("map", pose.header.stamp)
    assert len(poses.poses) == 10
    cloud = probe.wait_for(active.topic("candidate_cloud"), doing=show)
    assert (cloud.header.frame_id, cloud.header.stamp) == ("map", pose.header.stamp)
    rows = points(cloud)
    assert rows.dtype.names == ("x", "y", "z", "yaw", "score", "hamming", "rank", "place_id")
    assert rows["rank"].tolist() == list(range(10))
    assert (rows["place_id"][0], rows["hamming"][0]) == (9, 0)
    assert rows["score"][0] == pytest.approx(1.0, abs=1e-3)
    assert all(a >= b for a, b in pairwise(rows["score"]))
    places = rows["place_id"]
    np.testing.assert_allclose(rows["x"], street.positions[places, 0], atol=1e-5)
    np.testing.assert_allclose(rows["yaw"], street.headings[places])
    for row, candidate in zip(rows, poses.poses, strict=True):
        assert (candidate.position.x, candidate.position.y) == pytest.approx((row["x"], row["y"]))

    array = probe.wait_for(active.topic("markers"), doing=show)
    shown = {m.ns: m for m in array.markers}
    assert set(shown) == {"candidates", "verdict", "sigma", "pose"}
    assert len(shown["candidates"].points) == len(shown["candidates"].colors) == 10
    assert shown["pose"].pose == pose.pose.pose


def test_a_place_without_heading_has_no_yaw(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    probe.listen(active.topic("pose"), PoseWithCovarianceStamped)
    pose = see(active, street.images[11], 5)
    q = pose.pose.pose.orientation
    assert (q.x, q.y, q.z, q.w) == (0.0, 0.0, 0.0, 1.0)
    assert pose.pose.covariance[35] == pytest.approx(math.pi**2)


def test_a_replayed_bag_is_localised_along_its_fixes(
    node: RemoteNode, probe: Probe, street: Street, tmp_path: Path
) -> None:
    from rosbags.highlevel import AnyReader

    second = 1_000_000_000
    stamps = [(1000 + i) * second + 1000 * i for i in range(12)]
    latitudes, longitudes, altitudes = DATUM.to_wgs84(street.positions)
    bag = write_bag(
        tmp_path / "drive",
        images=list(zip(stamps, street.images, strict=True)),
        fixes=list(zip(stamps, latitudes, longitudes, altitudes, strict=True)),
        image_format="jpeg",
    )
    # The whole of it: remapped as on a robot whose camera driver compresses.
    assert node.set_parameters(image_transport="compressed") == []
    assert node.configure()
    assert node.activate()
    probe.listen(node.topic("pose"), PoseWithCovarianceStamped)
    probe.listen(node.topic("fix"), NavSatFix)
    camera = probe.publisher("/image/compressed", CompressedImage)
    probe.until(camera.get_subscription_count, "subscription")
    truth, poses, errors = {}, {}, []
    with AnyReader([bag]) as reader:
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            stamp = message.header.stamp
            if connection.topic == "/fix":
                truth[stamp.sec, stamp.nanosec] = message
                continue
            # The recorded bytes themselves.
            play = partial(camera.publish, raw)
            pose = probe.wait_for(node.topic("pose"), at(stamp.sec), doing=play)
            poses[pose.header.stamp.sec, pose.header.stamp.nanosec] = pose
    for stamp, pose in poses.items():
        fix = truth.pop(stamp)
        position = pose.pose.pose.position
        expected = DATUM.to_map(fix.latitude, fix.longitude, fix.altitude)
        errors.append(math.dist((position.x, position.y, position.z), expected))
    assert not truth, "frames without a pose"
    assert len(errors) == 12
    assert max(errors) < 0.01
    assert node.deactivate()


def test_the_newest_frame_wins_and_the_others_are_counted(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    see(active, street.images[0], 1)
    seconds = count(100)

    def frame() -> Image:
        stamp = next(seconds)
        return image_message(street.images[stamp % 12], stamp)

    def dropped_some(array: Any) -> bool:
        return int(values(array.status[0]).get("images dropped", 0)) > 2

    with camera_stream(probe, "/image", frame):  # faster than any localisation
        probe.wait_for("/diagnostics", dropped_some, why="with dropped frames")
    # However busy the node was, it ends with the newest frame.
    newest = next(seconds)
    pose = see(active, street.images[newest % 12], newest)
    assert pose.pose.pose.position.y == pytest.approx(street.positions[newest % 12, 1])
    stamps = [pose.header.stamp.sec for pose in probe.heard(active.topic("pose"))]
    assert stamps == sorted(stamps)
    probe.clear()
    counted = values(active.wait_for_status("localised"))
    received, processed, dropped = (
        int(counted[f"images {what}"]) for what in ("received", "processed", "dropped")
    )
    assert received == processed + dropped
    assert processed >= len(stamps)


def test_the_threshold_decides_at_run_time(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    probe.listen(active.topic("pose"), PoseWithCovarianceStamped)
    probe.listen(active.topic("candidates"), PoseArray)
    assert active.set_parameters(similarity_threshold=1.0) == []

    def show(seconds: int) -> Any:
        return lambda: probe.publish("/image", image_message(pattern(999), seconds))

    # Not in the map is an answer: candidates and the reason, but no pose.
    probe.wait_for(active.topic("candidates"), at(1), doing=show(1))
    status = active.wait_for_status(r"not localised: below threshold \(0\.\d+ < 1\.0+\)")
    assert status.level == b"\x01"
    assert active.set_parameters(similarity_threshold=-1.0) == []
    assert probe.wait_for(active.topic("pose"), doing=show(2)).header.stamp.sec == 2
    # The map was made with untrained weights, and it says so.
    assert active.wait_for_status("^localised at.*untrained").level == b"\x01"


def test_thresholds_are_those_of_the_map_s_calibration_unless_set(
    node: RemoteNode, probe: Probe, street: Street, tmp_path: Path
) -> None:
    from selavpr_core.place_map import MapWriter, PlaceMap

    path = tmp_path / "street"
    shutil.copytree(street.path, path)

    def calibrate(places: int) -> None:
        """With a margin that no two places of the street have."""
        calibration = replace(CALIBRATION, similarity=0.125, margin=0.5, places=places)
        with MapWriter(path, PlaceMap.load(path).model, DATUM) as writer:
            writer.set_calibration(calibration)

    calibrate(12)
    assert node.set_parameters(map=str(path)) == []
    assert node.configure()
    assert node.activate()

    def show() -> None:
        probe.publish("/image", image_message(street.images[3], 1))

    status = node.wait_for_status(
        r"not localised: another place looks as alike \(margin 0\.\d+ < 0\.50\)", show
    )
    assert status.level == b"\x01"
    found = "(the map's calibration: precision 0.993, recall 0.810)"
    assert values(status)["least similarity"] == f"0.125 {found}"
    assert values(status)["least margin"] == f"0.500 {found}"
    assert node.set_parameters(margin_threshold=0.0) == []
    status = node.wait_for_status("^localised", show)
    assert values(status)["least similarity"] == f"0.125 {found}"
    assert values(status)["least margin"] == "0.000 (set by the parameter)"
    # A map that has grown since.
    calibrate(5)
    assert node.trigger("load_map")[0]
    problem = "the calibration is older than the map (5 places then, 12 now)"
    status = node.wait_for_status(f"^localised.*; {re.escape(problem)}", show)
    assert status.level == b"\x01"
    assert values(status)["calibration"].startswith(problem)


def test_the_filter_follows_the_robot_past_a_look_alike_until_it_is_told_to_forget(
    node: RemoteNode, process: NodeProcess, probe: Probe, street: Street, tmp_path: Path
) -> None:
    assert node.set_parameters(filter="sequence", use_sim_time=True) == []
    assert node.configure()
    assert node.activate()
    probe.listen(node.topic("state"), String)
    probe.listen(node.topic("pose"), PoseWithCovarianceStamped)
    probe.wait_for(
        "/diagnostics",
        at(1000),
        doing=lambda: tell_time(probe, 1000),
        why="with simulated time",
    )

    def look(image: int, place: int, seconds: int) -> dict[str, Any]:
        """Show an image to a robot that stands at a place by its odometry; returns the state."""
        x, y, _ = street.positions[place]
        yaw = 0.0 if place < 8 else math.pi / 2

        def show() -> None:
            probe.publish("/odom", odometry_message(seconds, x, yaw, y=y))
            probe.publish("/image", image_message(street.images[image], seconds))

        def of_it(message: String) -> bool:
            return bool(json.loads(message.data)["stamp"] == seconds * 10**9)

        state = json.loads(probe.wait_for(node.topic("state"), of_it, doing=show).data)
        return dict(state)

    def error(state: dict[str, Any], place: int) -> float:
        return math.dist(state["position"][:2], street.positions[place, :2])

    states = [look(place, place, 1000 + place) for place in range(12)]
    assert states[0]["state"] == "lost"  # one image does not do
    assert states[0]["reason"].startswith("not localised: lost")
    assert states[-1]["state"] == "localised"
    assert states[-1]["probability"] > 0.95
    assert error(states[-1], 11) < SPACING / 2
    # A picture of the other end of the street does not make the pose jump.
    fooled = look(0, 11, 1012)
    assert fooled["state"] == "localised"
    assert error(fooled, 11) < SPACING / 2
    pose = probe.wait_for(node.topic("pose"), at(1012))
    assert [pose.pose.pose.position.x, pose.pose.pose.position.y] == fooled["position"][:2]
    assert list(pose.pose.covariance) == fooled["covariance"]
    # A pose for each image that left it localised, and for no other.
    stamps = {pose.header.stamp.sec for pose in probe.heard(node.topic("pose"))}
    assert stamps == {
        state["stamp"] // 10**9 for state in [*states, fooled] if state["state"] == "localised"
    }
    probe.clear()
    status = node.wait_for_status(r"^localised at .*, probability (0\.9|1\.0)")
    seen = values(status)
    assert (seen["localization state"], seen["odometry topic"]) == ("localised", "/odom")
    assert "latency filter" in seen
    assert "least similarity" not in seen
    wrong = odometry_message(1013, 0.0, 0.0, frame="wheel_odom")
    node.wait_for_status(
        "^localised.*; the filter goes without odometry: .*set odom_frame",
        lambda: probe.publish("/odom", wrong),
    )
    assert seen["odometry jumps"] == "0"
    before = process.line_count
    jumped = node.wait_for_status(
        r"^localised.*; odometry jumped by .* m within 1\.00 s$",
        lambda: probe.publish("/odom", odometry_message(1013, 900.0, 0.0)),
    )
    assert (jumped.level, values(jumped)["odometry jumps"]) == (b"\x01", "1")
    assert "odometry" not in values(jumped)
    stopped = node.wait_for_status("^.*; the filter goes without odometry: none on /odom for ")
    assert stopped.level == b"\x01"
    assert process.wait_for_output(r"\[WARN\].*odometry jumped by ", before)

    # A simulation begins anew: the robot may be anywhere, whatever the stamps say.
    before = process.line_count
    tell_time(probe, 3)
    process.wait_for_output("time jumped", after=before)
    anew = look(11, 11, 1014)
    assert anew["state"] == "lost"
    assert anew["probability"] < 0.5

    # Asked anew, it takes its time and then says what it knows.
    assert node.set_parameters(image_timeout=0.5) == []
    waiting = probe.call_async(node.topic("relocalize"), Trigger)
    with camera_stream(probe, "/image", lambda: image_message(street.images[11], 1020)):
        response = waiting()
    assert not response.success
    assert response.message.startswith("not localised: lost, at best place 11 of drive")
    # In another map its places count.
    corner = write_map(tmp_path / "corner", street, slice(8, 12))
    assert node.set_parameters(map=str(corner), image_timeout=60.0) == []
    assert node.trigger("load_map")[0]
    found = look(10, 10, 1030)
    assert found["place"] in range(4)
    assert found["position"][0] == pytest.approx(8 * SPACING, abs=SPACING)
    assert node.deactivate()
    for topic in ("state", "pose"):
        probe.unlisten(node.topic(topic))
    probe.unpublish("/odom")
    probe.unpublish("/clock")


def test_match_image_shows_query_and_match(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    probe.listen(active.topic("match_image"), Image)
    message = probe.wait_for(
        active.topic("match_image"),
        doing=lambda: probe.publish("/image", image_message(street.images[3], 1)),
    )
    # A picture is of the camera that took it, as its viewers in RViz expect.
    assert (message.header.frame_id, message.header.stamp.sec) == ("camera", 1)
    picture = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
    half = picture.shape[1] // 2
    left, right = (
        cv2.resize(side[40:350, 10:-10], (16, 12), interpolation=cv2.INTER_AREA).astype(int)
        for side in (picture[:, :half], picture[:, half:])
    )
    # The place was recognised: both halves show the same.
    assert np.abs(left - right).mean() < 12
    assert left.std() > 20
    probe.unlisten(active.topic("match_image"))


def test_the_places_of_the_map_are_latched(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    probe.listen(active.topic("map_places"), PointCloud2, LATCHED)
    cloud = probe.wait_for(active.topic("map_places"))
    assert cloud.header.frame_id == "map"
    rows = points(cloud)
    assert rows["place_id"].tolist() == list(range(12))
    np.testing.assert_allclose(rows["x"], street.positions[:, 0])
    np.testing.assert_allclose(rows["y"], street.positions[:, 1])
    np.testing.assert_allclose(rows["yaw"], street.headings)
    probe.unlisten(active.topic("map_places"))


# Bad input


def bad_images() -> list[Any]:
    cut = image_message(np.zeros((4, 4, 3), np.uint8), 1)
    cut.data = b"\0" * 7
    unknown = image_message(np.zeros((4, 4, 3), np.uint8), 2)
    unknown.encoding = "h264"
    return [cut, unknown, Image()]


def test_images_that_cannot_be_decoded_are_counted_and_named(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    see(active, street.images[0], 1)
    for number, message in enumerate(bad_images(), start=1):
        probe.clear()
        probe.publish("/image", message)

        def counted(array: Any, number: int = number) -> bool:
            return values(array.status[0]).get("images undecodable") == str(number)

        status = probe.wait_for("/diagnostics", counted).status[0]
        assert status.message.startswith("not localised: image cannot be decoded: ")
        assert status.level == b"\x01"
    see(active, street.images[0], 9)
    probe.clear()
    status = active.wait_for_status("^localised")
    assert values(status)["images undecodable"] == "3"


def test_a_configuration_that_cannot_work_is_refused_until_it_is_mended(
    node: RemoteNode, process: NodeProcess, probe: Probe, street: Street, tmp_path: Path
) -> None:
    other = write_map(tmp_path / "other", street, slice(0, 3), fingerprint="0" * 64)
    damaged = write_map(tmp_path / "damaged", street, slice(0, 3))
    segment = next((damaged / "segments").iterdir())
    segment.write_bytes(segment.read_bytes()[:-1])
    good = {"map": str(street.path), "weights": "", "device": "auto", "publish_tf": False}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"map": ""}, "no map is given"),
        ({"map": str(tmp_path / "nowhere")}, "nowhere"),
        ({"map": str(damaged)}, segment.name),
        ({"map": str(other)}, "map made with other weights"),
        ({"weights": "random:small"}, "map made with other weights"),
        ({"weights": str(tmp_path / "no.safetensors")}, "no.safetensors"),
    ]
    import torch

    if not torch.cuda.is_available():
        cases.append(({"device": "cuda"}, "CUDA|cuda"))
    try:
        import tf2_ros  # noqa: F401
    except ImportError:
        cases.append(({"publish_tf": True}, "tf2_ros"))
    for changes, reason in cases:
        assert node.set_parameters(**(good | changes)) == []
        probe.clear()
        start = process.line_count
        assert not node.configure(), changes
        assert node.state() == "unconfigured"
        status = node.wait_for_status(reason)
        assert status.level == b"\x02"
        assert "\n" not in status.message
        process.wait_for_output(r"\[ERROR\].*" + reason, after=start)
        # Whoever looks for the reason finds the parameters above it.
        tried = str((good | changes)["map"]) or "(empty)"
        process.wait_for_output(rf"^  map +{re.escape(tried)}$", after=start)
        assert "Traceback" not in "\n".join(process.output.splitlines()[start:])
    assert node.set_parameters(**good) == []
    assert node.configure()


def test_every_large_image_of_a_reliable_camera_arrives(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    # 640x480 in colour does not fit into the shared memory of Fast DDS.
    large = cv2.resize(street.images[3], (640, 480)).astype(np.uint8)
    see(active, large, 1)
    for stamp in range(2, 22):  # both know of each other now: from here on none is lost
        probe.publish("/image", image_message(large, stamp))
        probe.wait_for(active.topic("pose"), at(stamp))


def test_cameras_of_either_kind_are_heard_one_after_the_other(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    for stamp, (qos, reliability) in enumerate(
        [(10, "reliable"), (qos_profile_sensor_data, "best_effort"), (10, "reliable")], start=1
    ):
        probe.unpublish("/image")
        probe.publisher("/image", Image, qos)
        see(active, street.images[3], stamp)
        probe.clear()
        status = active.wait_for_status("localised")
        assert values(status)["image reliability"] == reliability


def test_a_camera_that_is_not_as_reliable_as_was_asked_for_is_named(
    node: RemoteNode, probe: Probe
) -> None:
    assert node.set_parameters(image_reliability="reliable", image_timeout=0.2) == []
    probe.publisher("/image", Image, qos_profile_sensor_data)
    assert node.configure()
    assert node.activate()
    node.wait_for_status("/probe publishes it best effort: set image_reliability to auto or best_")


def test_a_silent_camera_is_reported_by_its_topic(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    assert active.set_parameters(image_timeout=0.2) == []
    status = active.wait_for_status("no image on /image for")
    assert status.level == b"\x01"
    assert status.message.endswith("(nobody publishes it)")
    # A camera that publishes something else is the commonest reason.
    probe.publisher("/image", CompressedImage)
    active.wait_for_status(
        "published as sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image: "
        "set image_transport"
    )
    probe.unpublish("/image")
    assert active.set_parameters(image_timeout=60.0) == []
    probe.clear()
    active.wait_for_status(
        "^localised", lambda: probe.publish("/image", image_message(street.images[0], 1))
    )


# Parameters


def test_new_values_are_checked_and_those_that_cannot_change_are_refused(
    active: RemoteNode,
) -> None:
    refusals = {
        "similarity_threshold": (2.0, "range|Max"),
        "candidates_published": ("ten", "type"),
        "device": ("cpu", "only while the node is unconfigured"),
        "map_frame": ("world", "only while the node is unconfigured"),
        "image_timeout": (math.nan, "range|finite|Max"),
    }
    before = active.parameters(*refusals)
    for name, (value, reason) in refusals.items():
        (refused,) = active.set_parameters(**{name: value})
        assert any(word in refused for word in reason.split("|")), refused
    assert active.parameters(*refusals) == before
    assert active.set_parameters(candidates_published=3, map="/elsewhere") == []


def test_the_declared_parameters_are_those_of_the_parameter_file(
    node: RemoteNode, probe: Probe, project: Path
) -> None:
    from rcl_interfaces.srv import ListParameters

    result = probe.call(node.topic("list_parameters"), ListParameters).result
    by_rclpy = {"use_sim_time", "start_type_description_service"}
    declared = {name for name in result.names if not name.startswith("qos_overrides.")} - by_rclpy
    text = (project / "config" / "localize.yaml").read_text()
    assert declared == set(yaml.safe_load(text)["/**"]["ros__parameters"])


def test_choices_and_frames_are_checked(node: RemoteNode) -> None:
    (refused,) = node.set_parameters(image_transport="compresed")
    assert "did you mean compressed?" in refused
    (refused,) = node.set_parameters(map_frame="/map")
    assert "leading slash" in refused


def test_descriptors_tell_range_choices_and_when(node: RemoteNode, probe: Probe) -> None:
    from rcl_interfaces.srv import DescribeParameters

    request = DescribeParameters.Request(
        names=["similarity_threshold", "candidates", "device", "map"]
    )
    threshold, candidates, device, map_ = probe.call(
        node.topic("describe_parameters"), DescribeParameters, request
    ).descriptors
    (limits,) = threshold.floating_point_range
    assert (limits.from_value, limits.to_value) == (-2.0, 1.0)
    assert candidates.integer_range[0].from_value == 1
    assert device.additional_constraints == "one of: auto, cpu, cuda"
    assert threshold.description.endswith("Can be set at run time, at once.")
    assert "~/load_map" in map_.description


def test_a_parameter_file_with_mistakes_leaves_the_node_alive_to_be_mended(
    domain: int, probe: Probe, tmp_path: Path
) -> None:
    mistakes = {
        "similarity_threshold": 1,
        "candidates": 0,
        "image_transport": "jpeg",
        "map_frame": "/map",
        "thresold": 0.7,
    }
    file = tmp_path / "robot.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": mistakes}}))
    arguments = ["--params-file", str(file), "-r", "__node:=mistaken"]
    process = NodeProcess(domain, arguments)
    node = RemoteNode(probe, "/mistaken")
    try:
        process.wait_for_output(
            r"\[WARN\].*parameter thresold does not exist and is ignored; "
            r"did you mean similarity_threshold\?"
        )
        process.wait_for_output(r"\[ERROR\].*similarity_threshold is 1 .*: write 1\.0")
        assert not node.configure()
        status = node.wait_for_status("write 1.0")
        for name in ("candidates", "image_transport", "map_frame"):
            assert f"parameter {name} is" in status.message
        assert (
            node.set_parameters(
                similarity_threshold=0.7, candidates=50, image_transport="raw", map_frame="map"
            )
            == []
        )
        probe.clear()
        assert not node.configure()
        node.wait_for_status("no map is given")
        code = process.stop()
        assert code == 0
    finally:
        process.close()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--params-file", "{tmp}/nowhere.yaml"], "nowhere.yaml"),
        (["--params-file", "{tmp}/broken.yaml"], "broken.yaml"),
        (["-r", "__node:=no good"], "no good"),
    ],
)
def test_arguments_that_ros_refuses_end_with_one_line(
    domain: int, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    (tmp_path / "broken.yaml").write_text("/**: [")
    process = NodeProcess(domain, [a.format(tmp=tmp_path) for a in arguments])
    process.process.wait(60)
    process.close()
    assert process.process.returncode == 2
    assert "Traceback" not in process.output
    last = process.output.splitlines()[-1]
    assert last.startswith("the node cannot start: ")
    assert reason in last


# Services


def test_paused_it_looks_at_nothing_until_asked(
    active: RemoteNode, probe: Probe, street: Street
) -> None:
    see(active, street.images[3], 11)
    assert active.pause(True) == (True, "paused")
    said = active.wait_for_status("^not localising: paused$")
    assert said.level == b"\x00"
    assert "place" not in values(said)  # where it was before is not where it is now
    probe.publish("/image", image_message(street.images[1], 1))
    # Asked where it is, it looks at the next image all the same.
    answer = probe.call_async(active.topic("relocalize"), Trigger)
    with camera_stream(probe, "/image", lambda: image_message(street.images[2], 11)):
        response = answer()
    assert response.success
    assert "place 2 of drive" in response.message
    assert all(pose.header.stamp.sec > 10 for pose in probe.heard(active.topic("pose")))
    said = active.wait_for_status("^not localising: paused; when last asked: localised at ")
    assert (said.level, values(said)["state"]) == (b"\x00", "paused")
    assert values(said)["place"] == "2 of drive"

    assert active.pause(False) == (True, "localising")
    active.wait_for_status("^not localised: waiting for an image on /image$")
    see(active, street.images[1], 500)


def test_relocalize_says_why_it_cannot(active: RemoteNode, probe: Probe) -> None:
    assert active.set_parameters(image_timeout=0.1) == []
    success, message = active.trigger("relocalize")
    assert not success
    assert message == "no image on /image for 0.1 s"
    waiting = probe.call_async(active.topic("relocalize"), Trigger)
    assert active.deactivate()
    response = waiting()
    assert not response.success
    assert active.trigger("relocalize") == (False, "the node is inactive: activate it first")


def test_relocalize_below_the_threshold(active: RemoteNode, probe: Probe, street: Street) -> None:
    assert active.set_parameters(similarity_threshold=1.0) == []
    waiting = probe.call_async(active.topic("relocalize"), Trigger)
    with camera_stream(probe, "/image", lambda: image_message(pattern(999), 1)):
        response = waiting()
    assert not response.success
    assert response.message.startswith("not localised: below threshold (")


def test_load_map_changes_the_map_only_for_one_that_can_be_used(
    active: RemoteNode, probe: Probe, street: Street, tmp_path: Path
) -> None:
    probe.listen(active.topic("map_places"), PointCloud2, LATCHED)
    probe.listen(active.topic("pose"), PoseWithCovarianceStamped)
    probe.wait_for(active.topic("map_places"), lambda cloud: cloud.width == 12)
    other = write_map(tmp_path / "other", street, slice(0, 3), fingerprint="0" * 64)
    for bad in (other, tmp_path / "nowhere"):
        assert active.set_parameters(map=str(bad)) == []
        success, message = active.trigger("load_map")
        assert not success
        assert message.endswith(f"; still using {street.path}")
        assert bad.name in message
    pose = see(active, street.images[7], 1)
    assert pose.pose.pose.position.x == pytest.approx(7 * SPACING)

    corner = write_map(tmp_path / "corner", street, slice(8, 12))
    assert active.set_parameters(map=str(corner)) == []
    success, message = active.trigger("load_map")
    assert (success, message) == (True, f"loaded {corner}: 4 places, 1 segments")
    probe.wait_for(active.topic("map_places"), lambda cloud: cloud.width == 4)
    pose = see(active, street.images[10], 2)
    assert pose.pose.pose.position.y == pytest.approx(3 * SPACING)
    probe.unlisten(active.topic("map_places"))


def test_load_map_before_configuring(node: RemoteNode) -> None:
    success, message = node.trigger("load_map")
    assert not success
    assert "configure it" in message


# A node with other names, in which a test can make happen what is rare

TF2_STAND_IN = '''
"""What the node uses of tf2_ros, publishing on a topic that a test can hear."""
from geometry_msgs.msg import TransformStamped


class TransformBroadcaster:
    def __init__(self, node):
        self._publisher = node.create_publisher(TransformStamped, "/tf_heard", 100)

    def sendTransform(self, transform):
        self._publisher.publish(transform)
'''

# A frame of height 122 is held in work until the test writes into a FIFO, one of height 2 fails;
# so does loading with 13 candidates, and the map called unforeseen.
RARE = """
from selavpr_ros.nodes.camera import node as camera_node
from selavpr_ros.nodes.localization.recognizer import Recognizer
from selavpr_ros.nodes.ros import process
load, recognize = Recognizer.load, Recognizer.recognize
with_map = Recognizer.with_map

def rare_load(settings):
    if settings.candidates == 13:
        raise ZeroDivisionError("a bug while loading")
    return load(settings)

def rare_recognize(self, rgb):
    if rgb.shape[0] == 2:
        raise ZeroDivisionError("a bug in a frame")
    if rgb.shape[0] == 122:
        print("frame in work", flush=True)
        open({fifo!r}).read()
    return recognize(self, rgb)

def rare_with_map(self, path):
    print("map in work", flush=True)
    if path == "unforeseen":
        raise ZeroDivisionError("a bug in a map")
    return with_map(self, path)

Recognizer.load, Recognizer.recognize = rare_load, rare_recognize
Recognizer.with_map = rare_with_map
# However slow the machine is, the end is not cut short.
process.run.__defaults__ = (*process.run.__defaults__[:-1], 600.0)
camera_node.WORKER_STOP = 600.0
"""

ROBOT, CAMERA, WHEELS = "/robot/localization_node", "/cam/front", "/robot/wheels"


class Robot:
    """A process for several tests, begun anew where one of them ended it."""

    def __init__(self, domain: int, folder: Path) -> None:
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        (folder / "tf2_ros.py").write_text(TF2_STAND_IN)
        self._domain = domain
        # Behind the project, before everything else: also where the real tf2_ros is installed.
        self._path = f"{PROJECT}:{folder}"
        self._process: NodeProcess | None = None

    @property
    def process(self) -> NodeProcess:
        if self._process is None or self._process.process.poll() is not None:
            self.close()
            remaps = ("__ns:=/robot", f"image:={CAMERA}", "odom:=wheels")
            self._process = NodeProcess(
                self._domain,
                [part for remap in remaps for part in ("-r", remap)],
                prelude=RARE.format(fifo=str(self.fifo)),
                PYTHONPATH=self._path,
            )
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.close()


@pytest.fixture(scope="module")
def robots(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    robot = Robot(domain, tmp_path_factory.mktemp("robot"))
    yield robot
    robot.close()


@pytest.fixture
def robot(robots: Robot, probe: Probe, street: Street) -> Iterator[Robot]:
    """The robot's node, unconfigured, with default parameters and the street for its map."""
    assert robots.process  # it lives
    node = RemoteNode(probe, ROBOT)
    node.unconfigure()
    usual = vars(Settings()) | {"map": str(street.path), "use_sim_time": False}
    assert node.set_parameters(**usual) == []
    probe.clear()
    yield robots
    for topic in (CAMERA, f"{CAMERA}/compressed", WHEELS, "/clock"):
        probe.unpublish(topic)
    for topic in ("/tf_heard", node.topic("pose")):
        probe.unlisten(topic)


# Names, simulated time, transforms


@pytest.mark.parametrize("service", ["relocalize", "load_map"])
def test_a_frame_in_work_does_not_bring_back_what_was_forgotten(
    robot: Robot, probe: Probe, street: Street, service: str
) -> None:
    from geometry_msgs.msg import TransformStamped

    process, node = robot.process, RemoteNode(probe, ROBOT)
    assert node.set_parameters(publish_tf=True) == []
    assert node.configure()
    assert node.activate()
    probe.listen("/tf_heard", TransformStamped)

    def drive() -> None:
        for seconds in (1000, 1001, 1002):
            probe.publish(WHEELS, odometry_message(seconds, 0.0, 0.0))
        probe.publish(CAMERA, image_message(street.images[2], 1000))

    probe.wait_for("/tf_heard", at(1002), doing=drive)
    # A picture of place 7, with odometry on both sides of its stamp.
    held = cv2.resize(street.images[7], (160, 122)).astype(np.uint8)
    start = process.line_count
    probe.publish(CAMERA, image_message(held, 1001))
    process.wait_for_output("frame in work", after=start)
    probe.clear()
    asked = probe.call_async(node.topic(service), Trigger)
    if service == "relocalize":
        node.wait_for_status("waiting for an image")
    else:
        process.wait_for_output("map in work", after=start)
    probe.clear()
    robot.fifo.write_text("go on")

    def finished(array: Any) -> bool:
        seen = values(array.status[0])
        name = "robot/localization_node: localization"
        if array.status[0].name != name or "images received" not in seen:
            return False
        return int(seen["images received"]) == int(seen["images processed"]) + int(
            seen["images dropped"]
        )

    status = probe.wait_for("/diagnostics", finished).status[0]
    assert "waiting for an image" in status.message
    probe.publish(WHEELS, odometry_message(1003, 0.0, 0.0))
    see(node, street.images[4], 1003, CAMERA)
    probe.wait_for("/tf_heard", at(1003))
    # The held frame would have put the robot elsewhere.
    assert {found.transform.translation.x for found in probe.heard("/tf_heard")} == {4 * SPACING}
    if service == "relocalize":
        assert "place 4 of drive" in asked().message
    else:
        assert asked().success


def test_namespace_remaps_simulated_time_and_transform(
    robot: Robot, probe: Probe, street: Street
) -> None:
    from geometry_msgs.msg import TransformStamped

    process, node, camera = robot.process, RemoteNode(probe, ROBOT), f"{CAMERA}/compressed"
    unusual = {"use_sim_time": True, "publish_tf": True, "image_transport": "compressed"}
    assert node.set_parameters(**unusual, image_timeout=20.0) == []
    assert node.configure()
    assert node.activate()
    status = node.wait_for_status("use_sim_time is set but nothing is heard on /clock")
    assert status.level == b"\x01"
    probe.listen(node.topic("pose"), PoseWithCovarianceStamped)
    probe.listen("/tf_heard", TransformStamped)

    def see_image(index: int, seconds: int) -> PoseWithCovarianceStamped:
        done, jpeg = cv2.imencode(".png", street.images[index][:, :, ::-1])
        assert done
        message = CompressedImage(format="png", data=jpeg.tobytes())
        message.header.stamp.sec = seconds
        return probe.wait_for(
            node.topic("pose"), at(seconds), doing=lambda: probe.publish(camera, message)
        )

    probe.wait_for(
        "/diagnostics",
        at(1000),
        doing=lambda: tell_time(probe, 1000),
        why="with simulated time",
    )
    # Both topics are where the remaps say, one absolute, one in the namespace.
    see_image(2, 1000)
    other = odometry_message(1000, 10.0, 0.0, frame="wheel_odom")
    node.wait_for_status(
        "no transform: .*'wheel_odom'.*set odom_frame", lambda: probe.publish(WHEELS, other)
    )
    lost = odometry_message(1000, math.nan, 0.0)
    node.wait_for_status(
        "no transform: odometry cannot be used: .* not finite",
        lambda: probe.publish(WHEELS, lost),
    )
    # The same place, with odometry on both sides of the image's stamp.
    for seconds, x in ((1001, 3.0), (1003, 5.0)):
        probe.publish(WHEELS, odometry_message(seconds, x, math.pi / 2))
    see_image(2, 1002)
    node.wait_for_status("no odometry around the image's stamp")
    for seconds, x in ((1004, 3.0), (1005, 5.0)):
        probe.publish(WHEELS, odometry_message(seconds, x, math.pi / 2))
    see_image(2, 1005)
    probe.publish(WHEELS, odometry_message(1006, 6.0, math.pi / 2))
    # Sent with the odometry or with the pose, whichever comes later.
    found = probe.wait_for("/tf_heard", at(1006))
    assert (found.header.frame_id, found.child_frame_id) == ("map", "odom")
    # The robot at (10, 0, 1) heading east is at (5, 0, 0) heading north by its odometry.
    translation, rotation = found.transform.translation, found.transform.rotation
    assert 2 * math.atan2(rotation.z, rotation.w) == pytest.approx(-math.pi / 2, abs=1e-6)
    assert (translation.x, translation.y, translation.z) == pytest.approx((10.0, 5.0, 1.0))

    # The simulation begins anew.
    before = process.line_count
    tell_time(probe, 1015)
    tell_time(probe, 3)
    process.wait_for_output("time jumped", after=before)
    probe.clear()
    pose = see_image(7, 4)
    assert pose.pose.pose.position.x == pytest.approx(7 * SPACING)
    node.wait_for_status("no transform: no odometry yet")
    tell_time(probe, 10)
    tell_time(probe, 29)
    node.wait_for_status(f"no image on {camera} for 2[0-9] s")


# Shutdown


def test_finalized_by_a_transition_it_still_ends_by_a_signal(domain: int, probe: Probe) -> None:
    process = NodeProcess(domain, ["-r", "__node:=finished"])
    node = RemoteNode(probe, "/finished")
    try:
        assert node.change_state(5)  # shutdown from unconfigured
        assert node.state() == "finalized"
        assert process.stop(signal.SIGTERM) == 0
    finally:
        process.close()


def test_sigint_while_starting(domain: int) -> None:
    process = NodeProcess(domain)
    try:
        # As soon as the node has taken the signals over: it still imports ROS.
        process.wait_until_it_handles(signal.SIGTERM)
        assert_ended_well(process)
    finally:
        process.close()


def test_sigint_while_loading(domain: int, probe: Probe, street: Street) -> None:
    arguments = ["-r", "__node:=loading", "-p", f"map:={street.path}"]
    process = NodeProcess(domain, arguments)
    try:
        configuring = ChangeState.Request()
        configuring.transition.id = 1
        probe.call_async("/loading/change_state", ChangeState, configuring)
        process.wait_for_output("loading map")
        assert_ended_well(process)
        assert "]: configured:" not in process.output
    finally:
        process.close()


def test_errors_that_nobody_foresaw_and_sigint_twice_during_inference(
    robot: Robot, probe: Probe, street: Street
) -> None:
    process, node = robot.process, RemoteNode(probe, ROBOT)
    lines = process.line_count
    assert node.set_parameters(candidates=13) == []
    # An error while loading: named with its traceback, and the node can be configured again.
    assert not node.configure()
    assert node.state() == "unconfigured"
    status = node.wait_for_status("ZeroDivisionError: a bug while loading")
    assert status.level == b"\x02"
    process.wait_for_output("Traceback", after=lines)
    assert node.set_parameters(candidates=10) == []
    assert node.configure()
    assert node.activate()
    # An error in a frame: named, and the next frame is looked at.
    probe.listen(node.topic("pose"), PoseWithCovarianceStamped)
    status = node.wait_for_status(
        "localization failed: ZeroDivisionError: a bug in a frame",
        lambda: probe.publish(CAMERA, image_message(np.zeros((2, 2, 3), np.uint8), 1)),
    )
    assert status.level == b"\x02"
    assert int(values(status)["frames failed"]) >= 1
    # An error in a change of map: named, and the old one stays in use.
    assert node.set_parameters(map="unforeseen") == []
    lines = process.line_count
    assert node.trigger("load_map") == (
        False,
        f"loading unforeseen failed: ZeroDivisionError: a bug in a map; still using {street.path}",
    )
    process.wait_for_output("Traceback", after=lines)
    assert node.state() == "active"
    lines = process.line_count
    with camera_stream(probe, CAMERA, lambda: image_message(street.images[0], 1)):
        # With frames coming faster than they are localised the worker is always at one.
        probe.wait_for(node.topic("pose"))
        process.process.send_signal(signal.SIGINT)
        assert_ended_well(process, after=lines)
    # It took its leave: one that just vanished stays in the graph for a lease of 20 s.
    names = probe.node.get_node_names_and_namespaces
    assert ("probe", "/") in names()
    gone = ("localization_node", "/robot")
    probe.until(lambda: gone not in names(), "end of the node in the graph", 15.0)


def assert_ended_well(process: NodeProcess, after: int = 0) -> None:
    code = process.stop()
    output = "\n".join(process.output.splitlines()[after:])
    assert code == 0, output
    assert "Traceback" not in output
    assert "context is" not in output


# Real images


@pytest.mark.shared
def test_the_lund_drive_is_localised_in_a_map_of_its_other_half(
    node: RemoteNode, probe: Probe, tiny_weights: str, shared: Path, tmp_path: Path
) -> None:
    from rosbags.highlevel import AnyReader

    from selavpr_core.describer import load_describer
    from selavpr_core.place_map import PlaceMap
    from selavpr_ros.mapping import MappingSettings, build_map

    bags = shared / "data" / "bags"
    keep_all = MappingSettings(keyframe_distance=0.0)
    describer = load_describer(tiny_weights, device="cpu")
    build_map([bags / "lund_map_even"], tmp_path / "lund", describer, keep_all, False)
    datum = PlaceMap.load(tmp_path / "lund").datum
    assert datum is not None
    # Every frame shall be answered, however unlike its neighbours it looks.
    assert (
        node.set_parameters(
            map=str(tmp_path / "lund"), image_transport="compressed", similarity_threshold=-1.0
        )
        == []
    )
    assert node.configure()
    assert node.activate()
    probe.listen(node.topic("pose"), PoseWithCovarianceStamped)
    camera = probe.publisher("/image/compressed", CompressedImage)
    probe.until(camera.get_subscription_count, "subscription")

    def errors(bag: Path) -> list[float]:
        truth, found = {}, {}
        probe.clear()  # the stamps of both bags are the same
        with AnyReader([bag]) as reader:
            for connection, _, raw in reader.messages():
                message = reader.deserialize(raw, connection.msgtype)
                stamp = message.header.stamp.sec
                if connection.topic == "/fix":
                    truth[stamp] = datum.to_map(message.latitude, message.longitude)[:2]
                else:
                    play = partial(camera.publish, raw)
                    pose = probe.wait_for(node.topic("pose"), at(stamp), doing=play)
                    found[stamp] = (pose.pose.pose.position.x, pose.pose.pose.position.y)
        assert set(found) == set(truth)
        return [math.dist(found[stamp], truth[stamp]) for stamp in found]

    # Photos of the map itself, then photos taken between them: by chance 0.12 would be within
    # 10 m, and 0.64 by untrained weights.
    same = errors(bags / "lund_map_even")
    between = errors(bags / "lund_query_odd")
    assert max(same) < 0.01
    assert sum(error < 10.0 for error in between) / len(between) >= 0.7
