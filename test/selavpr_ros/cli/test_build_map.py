from __future__ import annotations

import json
from pathlib import Path

import pytest

from selavpr_core.camera import CameraModel
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import PlaceMap
from selavpr_ros.cli.main import main
from test.bags_on_disk import CAMERA_INFO, IMAGE, Messages
from test.selavpr_ros.cli.conftest import START, Command, write_drive
from test.selavpr_ros.mapping.describing import picture

TINY = ("--weights", "random:tiny", "--device", "cpu")


def run(*arguments: object) -> int:
    return main(["build-map", *map(str, arguments)])


def test_json_on_stdout_and_the_rest_on_stderr(selavpr: Command, tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "drive")
    done = selavpr("build-map", bag, "--output", tmp_path / "campus", "--json", *TINY)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["frames"], said["kept"], said["corrupt"]) == (5, 5, 0)
    assert said["dropped"] == {"no_fix": 0, "covariance": 0, "gap": 0, "outside_track": 0}
    assert said["weights"] == "random:tiny"
    assert said["pretrained"] is False
    place_map = PlaceMap.load(tmp_path / "campus")
    assert said["fingerprint"] == place_map.model.fingerprint
    assert len(place_map) == said["places"] == 5
    assert "warning: " in done.stderr
    assert "untrained" in done.stderr
    assert said["fingerprint"] in done.stderr


def test_the_table_names_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bags = [write_drive(tmp_path / "one"), write_drive(tmp_path / "two", first=9)]
    assert run(*bags, tmp_path / "missing", "--output", tmp_path / "campus", *TINY) == 0
    out, error = capsys.readouterr()
    place_map = PlaceMap.load(tmp_path / "campus")
    assert [s.name for s in place_map.segments] == ["one", "two"]
    for expected in (
        "one ",
        "two ",
        "missing: there is no such bag",
        "UNTRAINED",
        "total",
        "55.7000000",
    ):
        assert expected in out
    assert place_map.model.fingerprint[:16] in out
    assert "error: left out: " in error


def test_an_existing_map_chooses_the_weights_and_gets_the_bag_added(tmp_path: Path) -> None:
    output = tmp_path / "campus"
    assert run(write_drive(tmp_path / "one"), "--output", output, *TINY) == 0
    assert run(write_drive(tmp_path / "two"), "--output", output, "--device", "cpu") == 0
    assert [s.name for s in PlaceMap.load(output).segments] == ["one", "two"]


def test_other_weights_than_the_map_has_are_refused(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campus = street / "campus"
    before = (campus / "map.json").read_bytes()
    bag = write_drive(tmp_path / "bag")
    code = run(bag, "--output", campus, "--weights", "random:small", "--device", "cpu")
    assert code == 2
    assert "made with other weights" in capsys.readouterr().err
    assert (campus / "map.json").read_bytes() == before


def test_options_reach_the_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make = Messages()
    extra = [(START, "/rear", IMAGE, make.image(START, picture(1)))]
    bag = write_drive(tmp_path / "bag", extra=extra)
    output = tmp_path / "map"
    assert run(bag, "--output", output, *TINY) == 2
    assert "choose one with --image-topic" in capsys.readouterr().err
    topic = "/camera/image_raw/compressed"
    options = ["--image-topic", topic, "--keyframe-distance", "5", "--no-thumbnails", "--json"]
    options += ["--datum", "-33.9,18.4"]
    assert run(bag, "--output", output, *options, *TINY) == 2
    assert "zone 34" in capsys.readouterr().err
    options[-1] = "55.69,13.21,12.5"
    assert run(bag, "--output", output, *options, *TINY) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 3  # 4.2 m apart: every second one
    place_map = PlaceMap.load(output)
    assert place_map.datum == Datum.at(55.69, 13.21, 12.5)
    assert place_map.thumbnail(0) is None


def test_camera_info_is_chosen_by_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = Messages().camera_info(
        START, 128, 96, [90, 0, 63, 0, 90, 47, 0, 0, 1], p=[80, 0, 63, 0, 0, 80, 47, 0, 0, 0, 1, 0]
    )
    bag = write_drive(tmp_path / "bag", extra=[(START, "/front/calibration", CAMERA_INFO, message)])
    assert run(bag, "--output", tmp_path / "map", *TINY, "--camera-info-topic", "/front/lost") == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "/front/lost" in line)
    assert (
        "topic /front/lost (--camera-info-topic) is not in the bag; it holds: /camera/image_raw"
        in line
    )

    options = ["--camera-info-topic", "/front/calibration", "--rectified"]
    assert run(bag, "--output", tmp_path / "map", *TINY, *options) == 0
    camera = PlaceMap.load(tmp_path / "map").segments[0].camera
    assert camera == CameraModel(128, 96, 80.0, 80.0, 63.0, 47.0)


@pytest.mark.parametrize("options", [["--max-sigma", "0.5"], ["--max-gap", "0.5"]])
def test_gates_reach_the_build(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    images = [(START + half * 500_000_000, picture(half)) for half in (1, 3, 5)]
    bag = write_drive(tmp_path / "bag", images=images)
    assert run(bag, "--output", tmp_path / "map", *TINY, *options) == 2
    assert options[0] in capsys.readouterr().err
    assert not (tmp_path / "map").exists()
    assert run(bag, "--output", tmp_path / "map", *TINY) == 0


def test_a_device_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    bag = write_drive(tmp_path / "bag")
    code = run(bag, "--output", tmp_path / "map", "--weights", "random:tiny", "--device", "cuda")
    assert code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("selavpr: ")
