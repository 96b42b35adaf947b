from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import selavpr_core.describer
from examples.slam import command
from examples.slam.circuit import camera_model
from examples.slam.frames import Footage, Frame
from examples.slam.picture import HEIGHT, WIDTH
from examples.slam.recorded import Recording
from examples.slam.track import Track
from examples.streets import Camera
from selavpr_core.place_map import ModelInfo
from test.bags_on_disk import Messages, write_bag
from test.selavpr_ros.loop_closure import circuit as made_up

LAPS, SPACING, RADIUS, SECOND = 2, 4.0, 4.0 * made_up.PLACES / (2 * np.pi), 10**9
COUNT = LAPS * made_up.PLACES


@pytest.fixture(autouse=True)
def _gtsam() -> None:
    pytest.importorskip("gtsam")


def truth() -> Track:
    turn = np.arange(COUNT) * SPACING / RADIUS
    poses = np.column_stack([RADIUS * np.cos(turn), RADIUS * np.sin(turn), turn + np.pi / 2])
    return Track(np.arange(COUNT) * SECOND, poses)


def frames() -> Iterator[Frame]:
    for number, stamp in enumerate(truth().stamps):
        yield Frame(int(stamp), made_up.picture(number % made_up.PLACES))


@pytest.fixture
def two_laps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle of made-up pictures, driven twice, and a describer that knows them."""
    camera = camera_model(Camera(0, 0, 0, 0, width=64, height=48))
    footage = lambda spacing: Footage(truth(), frames(), COUNT, camera, "a circle")  # noqa: E731
    monkeypatch.setattr(command, "circuit", footage)
    monkeypatch.setattr(selavpr_core.describer, "load_describer", lambda _: made_up.Describer())
    monkeypatch.setattr(ModelInfo, "from_describer", lambda _: made_up.MODEL)


@pytest.mark.usefixtures("two_laps")
def test_a_track_is_closed_and_everything_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import cv2

    monkeypatch.chdir(tmp_path)
    output = Path("slam")  # the default
    assert command.main(["--drift", "2", "--seed", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["keyframes"] == COUNT
    assert report["closures_kept"] > 10
    assert report["after"]["ate_rms_m"] < 0.5 * report["before"]["ate_rms_m"]
    assert "least squares" in report["alignment"]
    picture = cv2.imread(report["picture"])
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert (output / "graph.g2o").read_text().count("EDGE_SE2") == COUNT - 1 + report["closures"]
    written = json.loads((output / "report.json").read_text())
    assert len(written["loop_closures"]) == report["closures"]
    assert {**written, "loop_closures": []} == {**report, "loop_closures": []}


@pytest.mark.usefixtures("two_laps")
def test_the_summary_says_what_was_measured_and_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--output", str(tmp_path), "--drift", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    before = next(line for line in lines if line.startswith("before"))
    assert before.split()[1:3] == ["0.00", "m"]  # nothing drifted
    assert any("aligned by rotation and translation" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bag", "nowhere"], "no such bag: nowhere"),
        (["--threshold", "2"], "'2' is not a number from -1 to 1"),
        (["--seed", "x"], "'x' is not a whole number"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = command.main(["--output", str(tmp_path / "slam"), *arguments])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert code == 2
    assert words in said
    assert said.count("\n") == 1


def test_an_output_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert command.main(["--output", str(tmp_path / "file" / "slam")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def bag(path: Path, calibrated: bool) -> Path:
    messages = Messages()
    focal = 60.0 if calibrated else 0.0
    info = messages.camera_info(SECOND, 64, 48, [focal, 0, 31.5, 0, 61, 23.5, 0, 0, 1])
    picture = made_up.picture(0)
    unknown = messages.image(2 * SECOND, picture)
    unknown.encoding = "no such thing"
    write_bag(
        path,
        images=[(number * SECOND, picture) for number in (1, 3, 4, 5)],
        odometry=[(number * SECOND, float(number), 0.0, 0.5) for number in (1, 2, 3)],
        extra=[
            (SECOND, "/camera/camera_info", "sensor_msgs/msg/CameraInfo", info),
            (2 * SECOND, "/camera/image_raw", "sensor_msgs/msg/Image", unknown),
        ],
    )
    return path


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_bag_gives_frames_that_odometry_covers(tmp_path: Path, calibrated: bool) -> None:
    recording = Recording(bag(tmp_path / "bag", calibrated), None, None)
    footage = recording.footage()
    taken = list(footage.frames)
    assert [frame.stamp for frame in taken] == [SECOND, 3 * SECOND]
    assert recording.skipped == 3  # one unreadable, two after the last odometry
    assert np.allclose(footage.truth.at(2 * SECOND), (2.0, 0.0, 0.5))
    assert (footage.camera is not None) == calibrated
    if footage.camera is not None:
        assert (footage.camera.fx, footage.camera.fy, footage.camera.cx) == (60.0, 61.0, 31.5)


@pytest.mark.shared
def test_a_recorded_walk_is_read_whole(shared: Path) -> None:
    recording = Recording(shared / "data/bags/toshiki_loop", None, None)
    footage = recording.footage()
    assert len(list(footage.frames)) == footage.count == 72
    assert recording.skipped == 0
    assert footage.camera is None
