from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from selavpr_core.geodesy import Datum
from selavpr_core.place_map import Calibration, MapWriter, ModelInfo, PlaceMap
from selavpr_ros.cli.calibrate import command
from selavpr_ros.cli.main import main
from selavpr_ros.mapping.builder import build_map
from selavpr_ros.nodes.localization.parameters import PARAMETERS
from selavpr_ros.nodes.loop_closure.parameters import LOOP_PARAMETERS
from test.selavpr_core.calibration.worlds import MODEL, road, write
from test.selavpr_ros.cli.conftest import SECOND, START, write_drive
from test.selavpr_ros.mapping.describing import grey, picture

FRAMES = 220
NEXT_DAY = START + 86_400 * SECOND


def run(*arguments: object) -> int:
    return main(["calibrate", *map(str, arguments)])


def made_as(path: Path) -> tuple[ModelInfo, Datum | None]:
    place_map = PlaceMap.load(path)
    return place_map.model, place_map.datum


@pytest.fixture(scope="session")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of a made-up road that was driven along twice."""
    path = tmp_path_factory.mktemp("calibrate") / "twice"
    write(path, {"first": road(0, 1200, 6.0), "second": road(2, 1200, 6.0, 1.5)}, noise=0.6)
    return path


@pytest.fixture
def campus(twice: Path, tmp_path: Path) -> Path:
    shutil.copytree(twice, tmp_path / "campus")
    return tmp_path / "campus"


@pytest.fixture
def blurred(tmp_path: Path) -> Path:
    """A map of a road on which hardly anything can be told apart."""
    path = tmp_path / "blurred"
    write(path, {"first": road(0, 800, 8.0), "second": road(2, 800, 8.0, 1.5)}, noise=3.0)
    return path


@pytest.fixture(scope="session")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bag `monday`, its map `grey`, and the same drive a day later, `tuesday`."""
    folder = tmp_path_factory.mktemp("bags")
    monday = write_drive(folder / "monday", seconds=FRAMES)
    stamps = [NEXT_DAY + t * SECOND for t in range(FRAMES + 1)]
    write_drive(
        folder / "tuesday",
        images=[(stamp, picture(i, 96, 128)) for i, stamp in enumerate(stamps)],
        fixes=[(s, 55.7 + 4.2 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(stamps)],
    )
    build_map([monday], folder / "grey", grey())
    return folder


@pytest.fixture
def grey_map(bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "describer_for", lambda *_: grey())
    shutil.copytree(bags / "grey", tmp_path / "grey")
    return tmp_path / "grey"


def test_own_places_give_thresholds_and_a_picture(
    campus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(campus) == 0
    text, error = capsys.readouterr()
    assert error == ""
    calibration = PlaceMap.load(campus).calibration
    assert isinstance(calibration, Calibration)
    assert calibration.precision >= 0.99
    assert calibration.precision_bound >= 0.97
    assert calibration.recall > 0.5
    assert (calibration.mode, calibration.candidates) == ("two-stage", 100)
    assert calibration.queries == calibration.outside == calibration.places == 400
    assert f"similarity {calibration.similarity:.4f}, margin {calibration.margin:g}" in text
    assert "each drive is asked for among the others" in text
    svg = (campus / "calibration.svg").read_text()
    assert svg.startswith("<svg ")
    assert "campus: similarity" in svg


def test_info_shows_the_thresholds(campus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "info", str(campus)]) == 0
    assert "limits   none: `selavpr calibrate`" in capsys.readouterr().out
    assert run(campus) == 0
    write(campus, {"later": road(0, 100)})
    capsys.readouterr()
    assert main(["map", "info", str(campus)]) == 0
    calibration = PlaceMap.load(campus).calibration
    assert calibration is not None
    out = capsys.readouterr().out
    assert f"limits   similarity {calibration.similarity:.4f}" in out
    assert "(mode two-stage, 100 candidates)" in out
    assert "when the map had 400" in out
    assert "NOT REACHED" not in out


def test_as_json_with_choices(
    campus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--mode", "code", "--candidates", "30", "--precision", "0.9", "--radius", "20"]
    assert run(campus, *chosen, "--picture", tmp_path / "curve.svg", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["calibration"] == vars(PlaceMap.load(campus).calibration)
    assert said["kind"] == "sessions"
    assert said["reached"] is True
    assert said["picture"] == str(tmp_path / "curve.svg")
    kept = said["calibration"]
    assert (kept["mode"], kept["candidates"]) == ("code", 30)
    assert (kept["wanted_precision"], kept["radius"]) == (0.9, 20)
    assert not (campus / "calibration.svg").exists()


def test_what_is_not_reached_is_one_line_and_not_stored(
    blurred: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(blurred) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert "a precision of 99 % is not reached" in error
    assert "nothing was stored" in error
    assert "and 97.0 % are needed" in error
    assert PlaceMap.load(blurred).calibration is None
    assert f"the curve is in {blurred / 'calibration-refused.svg'}" in error
    svg = (blurred / "calibration-refused.svg").read_text()
    assert "blurred: 99 % NOT REACHED: precision " in svg
    assert ">not stored; the map's own places: " in svg
    assert not (blurred / "calibration.svg").exists()


def test_what_is_refused_leaves_the_picture_of_what_is_stored(campus: Path, tmp_path: Path) -> None:
    assert run(campus) == 0
    before = (campus / "calibration.svg").read_bytes()
    calibration = PlaceMap.load(campus).calibration
    assert run(campus, "--precision", "1", "--radius", "3") == 2
    assert (campus / "calibration-refused.svg").read_bytes() != before
    named = tmp_path / "named.svg"
    assert run(campus, "--precision", "1", "--radius", "3", "--picture", named) == 2
    assert named.read_bytes() == (campus / "calibration-refused.svg").read_bytes()
    with MapWriter(campus, MODEL, None):  # somebody else writes: nothing can be stored
        assert run(campus, "--precision", "0.9") == 2
    assert (campus / "calibration.svg").read_bytes() == before
    assert PlaceMap.load(campus).calibration == calibration
    assert run(campus, "--precision", "0.9") == 0
    assert not (campus / "calibration-refused.svg").exists()


def test_no_picture_of_older_thresholds_stays_in_the_map(campus: Path, tmp_path: Path) -> None:
    assert run(campus) == 0
    assert run(campus, "--precision", "0.9", "--picture", tmp_path / "curve.svg") == 0
    assert not (campus / "calibration.svg").exists()
    refused = campus / "calibration-refused.svg"
    assert run(campus, "--picture", refused) == 0
    assert "campus: similarity" in refused.read_text()


def test_a_lower_precision_that_is_said_to_be_reached_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hazy = tmp_path / "hazy"
    write(hazy, {"first": road(0, 1200, 10.0)}, noise=1.5)
    assert run(hazy) == 2
    lower, recall = re.search(
        r"--precision (0\.\d+), which is reached with recall ([\d.]+ %)", capsys.readouterr().err
    ).groups()  # type: ignore[union-attr]
    assert run(hazy, "--precision", lower) == 0
    assert f"recall     {recall}" in capsys.readouterr().out
    assert run(hazy, "--precision", float(lower) + 0.01) == 2


def test_a_precision_that_nobody_wants_is_not_advised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "alike", {"first": road(0, 1200, 10.0)}, noise=3.0)
    assert run(tmp_path / "alike") == 2
    error = capsys.readouterr().err
    assert "a precision of 99 % is not reached" in error
    assert "write --precision" not in error


def test_the_closest_is_stored_if_asked(blurred: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(blurred, "--closest") == 0
    assert "NOT REACHED: a precision of 99 %" in capsys.readouterr().out
    calibration = PlaceMap.load(blurred).calibration
    assert calibration is not None
    assert calibration.wanted_precision == 0.99
    assert calibration.precision_bound < 0.97
    assert not calibration.reached
    svg = (blurred / "calibration.svg").read_text()
    assert "blurred: 99 % NOT REACHED: precision " in svg
    assert "not stored" not in svg
    assert main(["map", "info", str(blurred)]) == 0
    bound = f"{100 * calibration.precision_bound:.1f} %"
    missed = f"; NOT REACHED: a precision of 99 %, with 95 % confidence it is at least {bound}"
    assert missed in capsys.readouterr().out


def drive_of(path: Path, count: int) -> Path:
    """A bag of the first pictures of the road, a day after the map's."""
    stamps = [NEXT_DAY + t * SECOND for t in range(count)]
    return write_drive(
        path,
        images=[(stamp, picture(i, 96, 128)) for i, stamp in enumerate(stamps)],
        fixes=[(s, 55.7 + 4.2 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(stamps)],
    )


def test_where_nothing_is_shown_nothing_comes_closest(
    grey_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = drive_of(tmp_path / "two", 2)
    assert run(grey_map, "--queries", two, "--closest") == 2
    out, error = capsys.readouterr()
    (said,) = (line for line in error.splitlines() if "frames kept" not in line)
    assert out == ""
    assert re.search(
        rf"reached: the map was asked for 2 frames of {re.escape(str(two))}; \d answers? (is|are)"
        r" right, and at least 156 right ones are needed: with 95 % confidence no precision",
        said,
    )
    assert "give a longer drive with --queries" in said
    assert "--closest" not in said
    assert PlaceMap.load(grey_map).calibration is None


def test_frames_that_were_not_asked_for_are_counted_with_the_reason(
    grey_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a drive that leaves the road of the map after three frames, up to 75 m."""
    stamps = [NEXT_DAY + t * SECOND for t in range(14)]
    beside = [0.0] * 4 + [30.0 + 5 * t for t in range(10)]
    leaving = write_drive(
        tmp_path / "leaving",
        images=[(stamp, picture(i, 96, 128)) for i, stamp in enumerate(stamps)],
        fixes=[
            (s, 55.7 + 4.2 * t / 111_353, 13.2 + beside[t] / 62_900, 40.0, 1.0)
            for t, s in enumerate(stamps)
        ],
    )
    assert run(grey_map, "--queries", leaving) == 2
    (said,) = (x for x in capsys.readouterr().err.splitlines() if "frames kept" not in x)
    asked = f"of 14 frames of {leaving} the map was asked for 3, and not for 11 with no place"
    assert f"reached: {asked} within 25 m that looks the same way; " in said
    assert "at least 156 right ones are needed" in said


def test_few_queries_are_said_to_be_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "short", {"first": road(0, 480, 10.0)}, noise=0.2)
    assert run(tmp_path / "short") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert (
        "reached: the map was asked for its 48 places, and again as if it did not show them:"
        " 96 queries are too few to show it: "
    ) in error
    assert re.search(r"--queries: about \d{3} queries, half of them from inside, would do", error)


def test_a_map_too_small_to_be_asked(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (street / "campus" / "map.json").read_bytes()
    assert run(street / "campus") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "half of its 5 places lie within 100 m" in error
    assert (street / "campus" / "map.json").read_bytes() == before


def test_a_map_of_a_single_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "one", {"first": road(0, 4)})
    assert run(tmp_path / "one") == 2
    assert "it has only 1 place; add drives to the map\n" in capsys.readouterr().err


def test_a_radius_in_which_there_is_no_place(
    grey_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "once", {"first": road(0, 1200, 6.0)})
    assert run(tmp_path / "once", "--radius", "2") == 2
    error = capsys.readouterr().err
    assert "it shows no place again within 2 m, looking the same way; add drives" in error
    assert "or give a larger --radius" in error
    stamps = [NEXT_DAY + t * SECOND for t in range(30)]
    far = write_drive(
        tmp_path / "far",
        images=[(stamp, picture(i, 96, 128)) for i, stamp in enumerate(stamps)],
        fixes=[(s, 55.8 + 4.2 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(stamps)],
    )
    assert run(grey_map, "--queries", far) == 2
    error = capsys.readouterr().err
    assert "it has no place within 25 m, looking the same way; give a drive along the" in error


def test_a_second_drive(grey_map: Path, bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(grey_map, "--queries", bags / "tuesday", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    calibration = said["calibration"]
    assert said["kind"] == "drive"
    assert calibration["source"] == f"the drive {bags / 'tuesday'}"
    assert calibration["precision"] >= 0.99
    assert calibration["recall"] > 0.95
    assert calibration["queries"] == calibration["outside"] > 200
    assert PlaceMap.load(grey_map).calibration == Calibration(**calibration)


def test_the_bag_of_the_map_itself_is_no_second_drive(
    grey_map: Path, bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(grey_map, "--queries", bags / "monday") == 2
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "frames kept" not in line)
    assert f"{bags / 'monday'} is in {grey_map} already, as segment monday: " in error
    assert "give the bag of another drive, or leave --queries out" in error


def test_a_cut_of_the_bag_of_the_map_is_no_second_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every second image is a keyframe of the whole, and every other one of the cut."""
    monkeypatch.setattr(command, "describer_for", lambda *_: grey())
    stamps = [START + t * SECOND // 4 for t in range(4 * 60)]
    images = [(stamp, picture(i, 96, 128)) for i, stamp in enumerate(stamps)]
    fixes = [(s, 55.7 + 1.05 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(stamps)]
    whole = write_drive(tmp_path / "whole", images=images, fixes=fixes)
    cut = write_drive(tmp_path / "cut", images=images[41:], fixes=fixes[41:])
    build_map([whole], tmp_path / "map", grey())
    assert run(tmp_path / "map", "--queries", cut) == 2
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "frames kept" not in line)
    assert f"{cut} is in {tmp_path / 'map'} already, as segment whole: " in error


def test_a_bag_of_a_map_of_two_does_not_find_itself(
    grey_map: Path, bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_map([bags / "tuesday"], grey_map, grey())
    assert run(grey_map, "--queries", bags / "monday", "--json") == 0
    out, error = capsys.readouterr()
    said = json.loads(out)
    assert said["own_segments"] == ["monday"]
    source = f"the drive {bags / 'monday'}, without segment monday"
    assert said["calibration"]["source"] == source
    assert source in (grey_map / "calibration.svg").read_text()
    assert f"{bags / 'monday'} is in {grey_map} already, as segment monday: " in error
    assert "it was asked for among the other segments" in error


def test_a_second_drive_of_the_same_stamps(
    grey_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As two runs of a simulation have them, whose clock starts at 0: here at half the speed."""
    stamps = [START + t * SECOND for t in range(FRAMES + 1)]
    slower = write_drive(
        tmp_path / "slower",
        images=[(stamp, picture(i // 2, 96, 128)) for i, stamp in enumerate(stamps)],
        fixes=[(s, 55.7 + 2.1 * t / 111_353, 13.2, 40.0, 1.0) for t, s in enumerate(stamps)],
    )
    assert run(grey_map, "--queries", slower, "--json") == 0
    out, error = capsys.readouterr()
    assert "already" not in error
    said = json.loads(out)
    assert said["own_segments"] == []
    assert said["calibration"]["queries"] > 200


def test_a_second_drive_that_is_too_short(
    grey_map: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = drive_of(tmp_path / "short", 40)
    assert run(grey_map, "--queries", short) == 2
    assert "give a longer drive with --queries: about" in capsys.readouterr().err


def test_bags_that_are_of_no_use(
    grey_map: Path, bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(grey_map, "--queries", tmp_path / "none.mcap") == 2
    assert "no such bag" in capsys.readouterr().err
    odometry = write_drive(
        tmp_path / "indoors", fixes=[],
        odometry=[(NEXT_DAY + t * SECOND, t, 0.0, 0.0) for t in range(5)],
    )  # fmt: skip
    assert run(grey_map, "--queries", odometry) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_other_weights_are_refused(
    campus: Path, bags: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "describer_for", lambda *_: grey())
    assert run(campus, "--queries", bags / "tuesday") == 2
    assert "was made with other weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--precision", "99"], "is not a share: write 0.99"),
        (["--precision", "0"], "'0' is not a number above 0"),
        (["--precision", "nan"], "'nan' is not a number above 0"),
        (["--precision", "0.02"], "lets answers be wrong more often than right: give 0.5 to 1"),
        *(
            (["--radius", text], f"'{text}' is not a number from 0.01 to 100000")
            for text in ("-1", "0", "nan", "inf", "1e-300", "1e300")
        ),
    ],
)
def test_mistakes_in_the_arguments(
    campus: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(campus, *arguments)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_as_many_candidates_as_the_nodes_take(
    campus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = {p.bounds for p in (*PARAMETERS, *LOOP_PARAMETERS) if p.name == "candidates"}
    ((least, most),) = bounds  # type: ignore[misc]  # none is without
    for number in (least - 1, most + 1):
        with pytest.raises(SystemExit):
            run(campus, "--candidates", number)
        said = f"argument --candidates: '{number}' is not a whole number from {least} to {most}"
        assert said in capsys.readouterr().err
    assert run(campus, "--candidates", most, "--mode", "float") == 0


def test_pictures_that_cannot_be_written(
    campus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(campus, "--picture", tmp_path / "curve.png") == 2
    assert "curve.svg" in capsys.readouterr().err
    for folder in ("", tmp_path):
        assert run(campus, "--picture", folder) == 2
        like = Path(folder) / "calibration.svg"
        said = f"selavpr: the picture is an SVG: give a file like {like}\n"
        assert capsys.readouterr().err == said
    assert run(campus, "--picture", tmp_path / "none" / "curve.svg") == 2
    assert f"cannot be written: there is no folder {tmp_path / 'none'}" in capsys.readouterr().err
    (tmp_path / "folder.svg").mkdir()
    assert run(campus, "--picture", tmp_path / "folder.svg") == 2
    assert "folder.svg cannot be written: it is a folder" in capsys.readouterr().err
    assert PlaceMap.load(campus).calibration is None


def test_what_is_in_the_way_of_storing_is_told_before_the_work(
    grey_map: Path,
    bags: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "_ask_bag", lambda *_: pytest.fail("the map was asked"))
    asked = (grey_map, "--queries", bags / "tuesday")
    with MapWriter(grey_map, *made_as(grey_map)):
        assert run(*asked) == 2
    assert "another program is writing" in capsys.readouterr().err
    assert run(*asked, "--picture", tmp_path / "none" / "curve.svg") == 2
    assert "curve.svg cannot be written" in capsys.readouterr().err
    monkeypatch.setattr(command.os, "access", lambda path, _: path != grey_map)
    assert run(*asked) == 2
    assert f"the map {grey_map} cannot be written: its folder is" in capsys.readouterr().err


def test_a_refusal_changes_nothing_but_its_picture(blurred: Path) -> None:
    def files() -> dict[str, bytes]:
        paths = sorted(path for path in blurred.rglob("*") if path.is_file())
        return {str(path.relative_to(blurred)): path.read_bytes() for path in paths}

    before = files()
    assert run(blurred) == 2
    after = files()
    assert after.pop("calibration-refused.svg")
    assert after == before


def test_a_refusal_is_told_in_full_where_its_picture_cannot_be_written(
    blurred: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (blurred / "calibration-refused.svg").mkdir()
    assert run(blurred) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "a precision of 99 % is not reached" in error
    assert "nothing was stored, the picture" in error
    assert "calibration-refused.svg cannot be written: " in error


def test_neither_ros_nor_torch_is_needed_for_own_places(project: Path, campus: Path) -> None:
    program = (
        "import sys; from selavpr_ros.cli.main import main; code = main(sys.argv[1:]);"
        "sys.exit(code or 10 * len({'torch', 'rclpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "calibrate", str(campus)],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
