"""The demo as a user starts it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from examples.demo import command
from examples.demo.drives import render_bags
from examples.demo.topics import Topics
from examples.streets import FIX_TOPIC, Camera
from selavpr_ros.bags import BagReader
from test import shell
from test.bags_on_disk import ROS2, write_messages

CORRUPT = 4  # number of the query frame that cannot be decoded


@pytest.fixture(scope="module")
def drives(tmp_path_factory) -> tuple[Path, Path]:
    """A short street, driven along twice; one picture of the second drive is broken."""
    folder = tmp_path_factory.mktemp("drives")
    told = []
    render_bags(
        folder / "map",
        folder / "whole",
        lambda *progress: told.append(progress),
        crossings=((1, 2), (2, 2)),
        rates=(1.25, 0.8),
        camera=Camera(0.0, 0.0, 0.0, 0.0, width=320, height=240),
    )
    assert told[-1][1] == told[-1][2] == len([t for t in told if t[0] == "whole"])
    rows, images = [], 0
    with BagReader(folder / "whole") as bag:
        for topic, stamp, message in bag.messages(set(bag.topics)):
            kind = bag.topics[topic].type
            if topic != FIX_TOPIC:
                if images == CORRUPT:
                    data = {"header": message.header, "format": "jpeg", "data": message.data[:40]}
                    message = ROS2.types[kind](**data)
                images += 1
            rows.append((stamp, topic, kind, message))
    write_messages(folder / "query", rows)
    return folder / "map", folder / "query"


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.demo", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[3], **options,
    )  # fmt: skip


@pytest.mark.ros
def test_two_drives_along_a_street(drives, tiny_weights, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    map_bag, query_bag = drives
    output = tmp_path / "demo"
    demo = start(
        "--bag", map_bag, "--query", query_bag, "--weights", tiny_weights, "--output", output,
        "--json",
    )  # fmt: skip
    printed, said = demo.communicate(timeout=240)
    assert demo.returncode == 0, said
    result = json.loads(printed)

    with BagReader(query_bag) as bag:
        count = bag.topics[Topics().image_in(bag)].count
    frames = result["frames"]
    assert len(frames) == count
    outcomes = [frame["outcome"] for frame in frames]
    assert outcomes.pop(CORRUPT) == "undecodable"
    assert set(outcomes) <= {"localised", "not in the map"}
    assert result["pretrained"] is True
    assert "untrained" not in said

    # Errors against the fixes themselves, interpolated here once more.
    fixes = fixes_of(query_bag, result["build"]["datum"])
    for frame in frames:
        truth = [np.interp(frame["stamp"], fixes[:, 0], fixes[:, axis]) for axis in (1, 2)]
        assert frame["truth"] == pytest.approx(truth, abs=0.05)
        if frame["position"] is not None:
            error = np.hypot(*(np.array(frame["position"][:2]) - truth))
            assert frame["error"] == pytest.approx(error, abs=0.05)
    # The broken frame counts as one that was not recognised.
    assert 0.05 < result["chance_recall_at_1"] < 0.35
    assert result["recall"]["1"] >= 0.8
    assert result["answered"] >= 0.8
    assert result["wrong_poses"] <= 1
    assert result["median_error"] < 5.0
    for stage in ("decode", "describe", "hamming", "reranking", "whole frame"):
        assert result["stage_seconds"][stage]["mean"] >= 0
    assert result["stage_seconds"]["whole frame"]["mean"] > 0.001

    picture = cv2.imread(str(output / "tracks.png"))
    assert picture.std() > 20
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000
    assert json.loads((output / "report.json").read_text()) == result
    for figure in ("poses published", "wrong, farther off", "95 % within", "recall@1 within 10 m"):
        assert figure in said
    assert "next:" in said.splitlines()[-9]
    for name in ("map", "tracks.png", "node.log"):
        assert (output / name).exists()


def fixes_of(bag: Path, datum: dict) -> np.ndarray:
    """Stamps and map positions [N, 3] of a bag's fixes."""
    from selavpr_core.geodesy import Datum

    origin = Datum.from_json(datum)
    rows = []
    with BagReader(bag) as reader:
        for _, _, message in reader.messages({FIX_TOPIC}):
            stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
            rows.append([stamp, *origin.to_map(message.latitude, message.longitude)[:2]])
    return np.array(rows)


@pytest.mark.ros
def test_a_signal_ends_the_demo_and_its_processes(drives, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    output = tmp_path / "demo"
    bags = ("--bag", drives[0], "--query", drives[1])
    demo = start(*bags, "--weights", "random:tiny", "--output", output, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        children = []
        while not children:
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
            if (output / "node.log").exists():
                children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGTERM)
        printed, said = demo.communicate(timeout=30)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
    assert shell.status(demo.returncode) == 130
    assert said.splitlines()[-1] == "demo: interrupted"
    assert "untrained weights: the node's similarity_threshold is 0" in printed
    assert not [child for child in children if child.is_running()]


def test_an_interrupt_while_it_renders_is_one_line(tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(command, "render_bags", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert command.main(["--output", str(tmp_path / "demo")]) == 130
    assert capsys.readouterr().err == "demo: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bag", "nowhere"], "no such bag: nowhere"),
        (["--query", "nowhere"], "--query needs --bag"),
        (["--frames", "0"], "--frames must be at least 1"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    assert command.main([*arguments, "--output", str(tmp_path / "demo")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("demo: ")
    assert message in lines[0]


def test_without_ros_the_demo_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    monkeypatch.setitem(sys.modules, "rclpy", None)
    assert command.main(["--output", str(tmp_path / "demo")]) == 2
    assert "needs ROS 2" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_only_a_folder_of_its_own_is_used(tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "map.json").touch()
    assert command.main(["--output", str(tmp_path)]) == 2
    assert "in use for something else" in capsys.readouterr().err
    assert (tmp_path / "map" / "map.json").exists()


def test_two_demos_do_not_share_a_folder(tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    with (tmp_path / ".made_by_the_demo").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert command.main(["--output", str(tmp_path)]) == 2
    assert "another demo is running" in capsys.readouterr().err


def test_its_own_bags_are_not_overwritten_while_they_are_read(tmp_path, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    (tmp_path / ".made_by_the_demo").touch()
    bag = tmp_path / "map_bag"
    bag.mkdir()
    assert command.main(["--bag", str(bag), "--output", str(tmp_path)]) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert bag.exists()


def test_the_weights_are_those_that_come_along_unless_others_are_asked_for():
    parser = command._parser()
    assert parser.parse_args([]).weights == "tiny"
    assert parser.parse_args(["--weights", "base"]).weights == "base"
    assert "default: tiny" in " ".join(parser.format_help().split())


def test_weights_that_are_not_there_end_the_demo_with_what_to_do(
    drives, tmp_path, capfd, monkeypatch
):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    monkeypatch.setattr(command.processes, "end_on_sigterm", lambda: None)
    bags = ["--bag", str(drives[0]), "--query", str(drives[1])]
    weights = str(tmp_path / "none.safetensors")
    assert command.main([*bags, "--weights", weights, "--output", str(tmp_path / "demo")]) == 2
    said = capfd.readouterr().err.splitlines()
    assert said == [f"selavpr: no weights file {weights}: check the path"]


@pytest.mark.ros
@pytest.mark.shared
def test_one_real_bag_serves_both_parts(shared, tiny_weights, tmp_path):
    """A loop around a campus with odometry alone: its frames are taken in turns."""
    pytest.importorskip("rclpy", reason="needs ROS 2")
    bag = shared / "data" / "bags" / "toshiki_loop"
    demo = start(
        "--bag", bag, "--weights", tiny_weights, "--frames", 12, "--output", tmp_path / "demo",
        "--json",
    )  # fmt: skip
    printed, said = demo.communicate(timeout=240)
    assert demo.returncode == 0, said
    result = json.loads(printed)
    assert len(result["frames"]) == 12
    assert result["build"]["datum"] is None
    assert result["recall"]["1"] >= 0.9  # by chance: 0.1


@pytest.mark.ros
@pytest.mark.shared
def test_real_photos_of_a_street(shared, tiny_weights, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    bags = shared / "data" / "bags"
    demo = start(
        "--bag", bags / "lund_map_even", "--query", bags / "lund_query_odd",
        "--weights", tiny_weights, "--output", tmp_path / "demo", "--json",
    )  # fmt: skip
    printed, said = demo.communicate(timeout=240)
    assert demo.returncode == 0, said
    result = json.loads(printed)
    assert result["answered"] >= 0.8
    assert result["chance_recall_at_1"] < 0.15
    assert result["recall"]["1"] >= 0.75  # untrained weights: 0.62
