from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from test import shell
from test.training.datasets.trees import (
    at_name,
    gsv_cities,
    msls,
    pitts30k,
    save_images,
    sf_xl,
    write_table,
)
from training.command import run
from training.index import PlaceIndex
from training.prepare import main


@pytest.fixture
def sets(tmp_path: Path) -> list[str]:
    """All four datasets as options."""
    return [
        f"--gsv-cities={gsv_cities(tmp_path / 'gsv')}",
        f"--sf-xl={sf_xl(tmp_path / 'sf xl@home')}",
        f"--pitts30k={pitts30k(tmp_path / 'pitts')}",
        f"--msls={msls(tmp_path / 'msls')}",
    ]


def prepare(*options: object) -> int:
    return run(main, [str(option) for option in options])


def refused(capsys: pytest.CaptureFixture[str], *options: object) -> str:
    """Return the one line that an error is."""
    assert prepare(*options) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    return captured.err


def own_table(folder: Path, heading: bool = True) -> Path:
    """Five images of one place."""
    names = [f"images/{number}.jpg" for number in range(5)]
    save_images(folder, names)
    header = ["path", "latitude", "longitude", *(["heading"] if heading else [])]
    rows = [[name, 48.1, 11.5, 10][: len(header)] for name in names]
    return write_table(folder / "campus.csv", header, rows)


def test_four_datasets_become_one_index(
    sets: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(*sets, "--output", tmp_path / "unified", "--json") == 0
    captured = capsys.readouterr()
    summary = json.loads(captured.out)
    assert list(summary["datasets"]) == ["gsv-cities", "sf-xl", "pitts30k", "msls"]
    totals = {name: entry["total"] for name, entry in summary["datasets"].items()}
    assert totals["gsv-cities"]["images"] == 9
    assert totals["gsv-cities"]["left_out"] == {"too few images at the place": 3}
    assert totals["sf-xl"]["left_out"] == {"group not used": 5}
    # Twelve yaws of 30 degrees in classes of 60: six places at one spot, two groups of three.
    assert (totals["pitts30k"]["images"], totals["pitts30k"]["places"]) == (96, 6)
    assert totals["pitts30k"]["groups"] == 2
    assert totals["msls"]["left_out"] == {"panorama": 4}
    index = PlaceIndex.load(tmp_path / "unified")
    assert (index.images, index.places, index.groups) == (
        summary["images"],
        summary["places"],
        summary["groups"],
    )
    assert all(index.path(row).is_file() for row in range(index.images))
    assert "pitts30k/pittsburgh" in {name.rsplit("/", 1)[0] for name in index.group_names}


def test_the_table_is_printed_and_kept(
    sets: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(*sets, "--output", tmp_path / "unified") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "msls        amman" in captured.out
    assert "msls: 4 left out: panorama" in captured.out
    assert "20 of the 22 train cities are not there" in captured.out
    report = (tmp_path / "unified" / "report.txt").read_text()
    assert captured.out == f"{report}index: {tmp_path / 'unified'}\n"


def test_two_runs_are_equal_byte_for_byte(sets: list[str], tmp_path: Path) -> None:
    assert prepare(*sets, "--output", tmp_path / "a") == 0
    assert prepare(*reversed(sets), "--output", tmp_path / "deeper" / "b") == 0
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "deeper" / "b" / file.name).read_bytes(), file.name


def test_own_tables_and_settings(tmp_path: Path) -> None:
    table, output = own_table(tmp_path / "mine"), tmp_path / "index"
    assert prepare("--csv", table, "--output", output) == 0
    assert PlaceIndex.load(output).group_names[0].startswith("campus/campus/")
    settings = ["campus.min_images=6", "other.M=30", "other.min_images=5"]
    given = [table, f"other={table}"]
    assert prepare("--csv", *given, "--set", *settings, "--output", output) == 0
    index = PlaceIndex.load(output)
    assert [name.split("/")[0] for name in index.group_names] == ["other"]
    manifest = json.loads((output / "index.json").read_text())
    assert manifest["settings"]["other"]["M"] == 30
    assert manifest["settings"]["campus"]["M"] == 15


def test_a_table_without_headings_asks_for_the_setting_that_does_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, output = own_table(tmp_path, heading=False), tmp_path / "index"
    assert "--set campus.alpha=360 campus.L=1" in refused(
        capsys, "--csv", table, "--output", output
    )
    settings = ["campus.alpha=360", "campus.L=1"]
    assert prepare("--csv", table, "--set", *settings, "--output", output) == 0
    assert PlaceIndex.load(output).images == 5


def test_photos_without_direction_can_be_divided_by_position(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48, 8, 0), 3: "E", 4: (11, 34, 0)})
    for number in range(4):
        Image.new("RGB", (4, 3)).save(tmp_path / f"{number}.jpg", exif=exif)
    options = ["--exif", f"yard={tmp_path}", "--output", tmp_path / "index"]
    assert "4 of 4 images: no heading; alpha=360 and L=1 tell" in refused(capsys, *options)
    assert prepare(*options, "--set", "yard.alpha=360", "yard.L=1") == 0
    assert PlaceIndex.load(tmp_path / "index").images == 4


def frames(folder: Path, *lengths: int) -> Path:
    """Write a clip of each length."""
    clips = enumerate(lengths)
    save_images(folder, [f"{clip}/f{n}.png" for clip, length in clips for n in range(length)])
    return folder


def test_frames_go_with_any_other_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, output = own_table(tmp_path / "mine"), tmp_path / "index"
    folders = [frames(tmp_path / "a", 10, 12, 1), f"lift={frames(tmp_path / 'b', 9)}"]
    settings = ["frames.length=5", "lift.length=4", "campus.M=10"]
    assert (
        prepare("--csv", table, "--frames", *folders, "--set", *settings, "--output", output) == 0
    )
    printed = capsys.readouterr().out
    assert "a: 3 clips" in printed
    assert "a: 1 left out: too few images at the place" in printed
    index = PlaceIndex.load(output)
    assert (index.images, index.places) == (22 + 5 + 9, 4 + 1 + 2)
    assert [name for name in index.group_names if "campus" not in name] == [
        "a/a/0",
        "a/a/1",
        "lift/lift/0",
        "lift/lift/1",
    ]
    assert len(set(index.group_cities.tolist())) == 3
    manifest = json.loads((output / "index.json").read_text())
    assert [manifest["settings"][name]["length"] for name in ("a", "lift")] == [5, 4]


def test_a_file_among_the_frames_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = frames(tmp_path / "hall", 49), tmp_path / "index"
    save_images(folder, ["cover.jpg"])
    options = ["--frames", folder, "--output", output]
    line = refused(capsys, *options)
    assert "1 of 50 images are missing or damaged (2.0%)" in line
    assert "the first: cover.jpg: entry without sense" in line
    assert prepare(*options, "--max-missing", "2") == 0
    report = (output / "report.txt").read_text()
    assert "hall: cover.jpg: entry without sense (its name does not end in the number" in report


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["{a}", "{a}/0"], "a/0 lies in"),
        (["{a}/0", "x={a}"], "a/0 lies in"),
        (["x={a}", "{a}"], "name only one of them, or its frames would be of two places each"),
        (["{a}", "{b}/a"], "two datasets are called a: call one NAME=PATH"),
        (["{a}", "--set", "frames.N=1"], "--set a: N=1 is below 2: neighbouring places would"),
        (["{a}", "--set", "frames.M=1"], "--set a: there is no setting 'M'; there is length, N"),
        (["{a}", "--set", "a.length=x"], "--set a: length=x is not a whole number"),
        (["{a}", "--set", "frames.min_images=9"], "no place is left to index: 8 of 8 images"),
        (["{a}/f0.png"], "is no folder: expected a folder of frames of video"),
        (["{c}"], "c: there is no image in"),
    ],
)
def test_a_mistake_with_frames_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    frames(tmp_path / "a", 8)
    frames(tmp_path / "b" / "a", 8)
    (tmp_path / "c").mkdir()
    given = [option.format(**{name: tmp_path / name for name in "abc"}) for option in options]
    assert expected in refused(capsys, "--frames", *given, "--output", tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_frames_is_no_dataset_where_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--csv", own_table(tmp_path), "--set", "frames.length=4", "--output", tmp_path / "i"]
    assert "there is no dataset 'frames' here; there is campus" in refused(capsys, *options)


@pytest.mark.shared
def test_the_frames_of_a_tower(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floors = sorted((shared / "data" / "tower" / "images").iterdir())
    assert prepare("--frames", *floors, "--output", tmp_path / "index", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (len(floors), summary["images"], summary["places"], summary["groups"]) == (
        25,
        2873,
        307,
        50,
    )
    assert sum(entry["total"]["listed"] for entry in summary["datasets"].values()) == 2877


def test_the_at_layout_of_pitts30k(tmp_path: Path) -> None:
    for side in ("database", "queries"):
        names = [at_name(584220.0, 4477500.0, tile=tile, pano=side) for tile in (0, 1, 24, 25)]
        save_images(tmp_path / "p@tts" / "images" / "train" / side, names)
    assert prepare("--pitts30k", tmp_path / "p@tts", "--output", tmp_path / "index") == 0
    index = PlaceIndex.load(tmp_path / "index")
    assert (index.images, index.places) == (8, 1)
    assert all(index.path(row).is_file() for row in range(8))


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--gsv-cities", "expected GSV-Cities with Dataframes/<City>.csv"),
        ("--sf-xl", "expected SF-XL with processed/train"),
        ("--pitts30k", "expected Pitts30k with datasets/pitts30k_train.mat"),
        ("--msls", "expected MSLS with train_val/<city>"),
        ("--csv", "cannot be read as a CSV"),
        ("--exif", "there is no image in"),
    ],
)
def test_a_wrong_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, expected: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert expected in refused(capsys, option, tmp_path / "empty", "--output", tmp_path / "index")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "no dataset is given: name at least one of --gsv-cities"),
        (["--csv", "{table}", "{table}"], "two datasets are called campus: call one NAME=PATH"),
        (["--csv", "msls={table}", "--msls", "{msls}"], "two datasets are called msls"),
        (["--csv", "{table}", "--set", "msls.M=15"], "no dataset 'msls' here; there is campus"),
        (["--csv", "{table}", "--set", "campus.m=1"], "no setting 'm'; there is M, alpha"),
        (["--csv", "{table}", "--set", "campus.M=x"], "--set campus: M=x is not a number"),
        (["--csv", "{table}", "--set", "campus.L=4"], "L=4 does not divide the 6 headings"),
        (["--csv", "{table}", "--set", "M=4"], "--set M=4: write it as DATASET.KEY=VALUE"),
        (["--csv", "{table}", "--set", "campus.M"], "write it as DATASET.KEY=VALUE"),
        (["--csv", "{table}", "--set", "campus.min_images=9"], "no place is left to index"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    paths = {"table": own_table(tmp_path / "mine"), "msls": msls(tmp_path / "msls")}
    given = [option.format(**paths) for option in options]
    assert expected in refused(capsys, *given, "--output", tmp_path / "index")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("share", ["-1", "101", "x", "nan"])
def test_a_share_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], share: str) -> None:
    with pytest.raises(SystemExit) as stop:
        prepare("--csv", "x", "--output", "y", "--max-missing", share)
    assert stop.value.code == 2
    assert "is not a percentage from 0 to 100" in capsys.readouterr().err


def test_missing_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = gsv_cities(tmp_path / "gsv")
    next((root / "Images" / "Phoenix").iterdir()).unlink()
    options = ["--gsv-cities", root, "--output", tmp_path / "index"]
    line = refused(capsys, *options)
    assert "gsv-cities: 1 of 12 images are missing or damaged (8.3%), and 1.0% may be" in line
    assert str(tmp_path / "index.report.txt") in line
    assert prepare(*options, "--max-missing", "10%") == 0
    printed = capsys.readouterr().out
    assert "1 faulty: missing" in printed
    assert f"one by one: {tmp_path / 'index' / 'report.txt'}" in printed
    assert prepare(*options, "--max-missing", "10%", "--json") == 0
    report = json.loads(Path(json.loads(capsys.readouterr().out)["report"]).read_text())
    assert [fault["reason"] for fault in report["faulty"]] == ["missing"]
    assert PlaceIndex.load(tmp_path / "index").images == 8


def test_decoding_finds_what_a_listing_does_not(tmp_path: Path) -> None:
    root = gsv_cities(tmp_path / "gsv")
    image = next((root / "Images" / "Phoenix").iterdir())
    image.write_bytes(image.read_bytes()[:-200])
    options = ["--gsv-cities", root, "--output", tmp_path / "index", "--max-missing", "10"]
    for level, images in (("files", 9), ("full", 8)):
        assert prepare(*options, "--verify", level) == 0
        assert PlaceIndex.load(tmp_path / "index").images == images


def test_help_shows_the_published_divisions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        prepare("--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    assert ["sf-xl", "10", "60", "5", "2", "1", "4"] in lines
    assert ["msls", "15", "60", "3", "2", "18", "4"] in lines
    assert ["frames", "length=8", "2", "2", "4"] in lines
    assert max(len(line) for line in text.splitlines() if "python -m" not in line) <= 100


def test_an_interruption_leaves_no_half_index(tmp_path: Path) -> None:
    # The images' folder is a pipe that nobody writes to: reading its table waits for ever.
    output = tmp_path / "index"
    gsv_cities(tmp_path / "gsv")
    table = tmp_path / "gsv" / "Dataframes" / "Oslo.csv"
    os.mkfifo(table)
    command = [sys.executable, "-m", "training.prepare", "--gsv-cities", str(tmp_path / "gsv")]
    process = subprocess.Popen(
        [*command, "--output", str(output)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    # Opening the other end returns once the program has opened its own: it is in the middle.
    with table.open("w"):
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert shell.status(process.returncode) == 130
    assert error == b"interrupted\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gsv"]
