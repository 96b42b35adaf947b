from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.frames import PlanarTransform
from selavpr_ros.cli.main import main
from selavpr_ros.progress import progress_bar
from test.selavpr_core.place_map.maps import CAMERA, places, write_map


def winding(count: int) -> dict[str, Any]:
    """Places 4 m apart along a winding road; no two look alike."""
    contents = places(count, 3)
    headings = 1.5 * np.sin(np.arange(count) / 9)
    steps = 4 * np.stack([np.cos(headings), np.sin(headings), 0 * headings], axis=1)
    contents.update(positions=steps.cumsum(axis=0), headings=headings)
    return contents


def run(*arguments: object) -> int:
    return main(["map", *map(str, arguments)])


def test_info_as_text(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", street / "campus") == 0
    text = capsys.readouterr().out
    place_map = PlaceMap.load(street / "campus")
    assert "5 places in 1 segment," in text
    assert place_map.model.fingerprint in text
    assert "UNTRAINED" in text
    assert "64 bytes code + 1024 d descriptor" in text
    assert "UTM zone 33N" in text
    assert "2023-11-14 22:13:20  2023-11-14 22:13:24" in text
    assert str(street / "drive") in text


def test_info_as_json(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", street / "campus", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["places"] == 5
    assert said["segments"][0]["name"] == "drive"
    assert said["datum"]["zone"] == 33


def test_info_of_cameras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_map(tmp_path / "m", {"a": places(2)}, camera=CAMERA)
    write_map(path, {"b": places(2)}, camera=replace(CAMERA, distortion=()))
    write_map(path, {"c": places(2)})
    assert run("info", path) == 0
    camera = "camera of 640 x 480 pixels, focal length 500.5, 510.0"
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"a: from /bags/a.mcap; {camera}, plumb_bob",
        f"b: from /bags/b.mcap; {camera}, no distortion",
        "c: from /bags/c.mcap",
    ]


def test_info_of_a_damaged_map_is_one_line(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(street / "campus", tmp_path / "campus")
    segment = next((tmp_path / "campus" / "segments").iterdir())
    data = bytearray(segment.read_bytes())
    data[-100] ^= 1
    segment.chmod(0o644)
    segment.write_bytes(data)
    assert run("info", tmp_path / "campus") == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert "drive" in error


def test_merge(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campus = street / "campus"
    assert run("merge", campus, campus, "--output", tmp_path / "both", "--json") == 0
    assert json.loads(capsys.readouterr().out)["places"] == 10
    assert len(PlaceMap.load(tmp_path / "both")) == 10
    assert run("merge", campus, "--output", campus) == 2
    assert capsys.readouterr().err.startswith("selavpr: ")


def test_merging_into_text(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("merge", street / "campus", "--output", tmp_path / "copy") == 0
    assert "5 places in 1 segment," in capsys.readouterr().out


def test_merging_without_gps_needs_align(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campus, indoor = street / "campus", tmp_path / "indoor"
    shutil.copytree(campus, indoor)
    manifest = json.loads((indoor / "map.json").read_text())
    manifest["datum"] = None
    (indoor / "map.json").write_text(json.dumps(manifest))
    assert run("merge", campus, indoor, "--output", tmp_path / "both") == 2
    assert "--align" in capsys.readouterr().err
    # Five places are too few to be sure of, and that is said instead of guessed.
    assert run("merge", campus, indoor, "--align", "--output", tmp_path / "both") == 2
    assert "cannot be aligned with" in capsys.readouterr().err
    assert run("merge", indoor, campus, "--align", "--output", tmp_path / "both") == 2
    assert "name it first" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_merging_aligned_maps_says_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_map(tmp_path / "gps", {"a": winding(60)})
    moved = winding(60)
    move = PlanarTransform(40.0, -7.0, 2.0, 1.0)
    moved["positions"] = move.positions(moved["positions"])
    moved["headings"] = move.headings(moved["headings"])
    second = write_map(tmp_path / "odometry", {"b": moved}, datum=None)
    assert run("merge", first, second, "--align", "--output", tmp_path / "both", "--json") == 0
    (aligned,) = json.loads(capsys.readouterr().out)["aligned"]
    assert (aligned["agreeing"], aligned["matches"]) == (60, 60)
    both = PlaceMap.load(tmp_path / "both")
    np.testing.assert_allclose(both.positions[60:], both.positions[:60], atol=1e-6)
    assert run("merge", first, second, "--align", "--output", tmp_path / "again") == 0
    assert "60 of 60 matched places agree" in capsys.readouterr().out


def test_a_name_that_is_taken_is_told_before_maps_are_aligned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "selavpr_core.retrieval.aligning.align_maps", lambda *_: pytest.fail("they were aligned")
    )
    path = write_map(tmp_path / "a", {"a": places(3)})
    assert run("merge", path, path, "--align", "--output", path) == 2
    assert (
        capsys.readouterr().err
        == f"selavpr: {path} exists already: give the new map another name\n"
    )


def test_export(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "campus.geojson"
    assert run("export", street / "campus", "--output", output) == 0
    assert "campus.geojson: 5 places, geojson, " in capsys.readouterr().out
    assert len(json.loads(output.read_text())["features"]) == 6
    output = tmp_path / "campus.dat"
    assert run("export", street / "campus", "--output", output) == 2
    assert "add --format" in capsys.readouterr().err
    arguments = ("export", street / "campus", "--output", output, "--format", "tum", "--json")
    assert run(*arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["places"], said["format"], said["without_heading"]) == (5, "tum", 0)
    assert said["size_bytes"] == output.stat().st_size


def test_bars_know_how_much_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_map(tmp_path / "campus", {"first": winding(30), "again": winding(30)})
    (path / "thumbnails" / "again.safetensors").unlink()
    totals: dict[str, int | None] = {}
    done: Counter[str] = Counter()

    def noted(description: str, total: int | None, unit: str, **options: Any) -> Any:
        totals[description] = total
        bar = progress_bar(description, total, unit, **options)
        monkeypatch.setattr(bar, "update", lambda n=1: done.update({description: n}))
        return bar

    def check(*descriptions: str) -> None:
        assert done == totals
        assert set(descriptions) == set(totals)
        totals.clear()
        done.clear()

    monkeypatch.setattr("selavpr_ros.progress.progress_bar", noted)
    assert run("export", path, "--output", tmp_path / "campus.kml") == 0
    check("verifying", "exporting")
    assert run("merge", path, "--output", tmp_path / "copy") == 0
    check("merging", "verifying")
    assert run("view", path, "--output", tmp_path / "campus.html") == 0
    check("verifying", "pictures")


def test_prune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = {"first": winding(30), "again": winding(30)}
    campus = write_map(tmp_path / "campus", twice)
    arguments = ("prune", campus, "--output", tmp_path / "small", "--similarity", "0.95")
    assert run(*arguments, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["places"], said["kept"], said["dropped"]) == (60, 30, 30)
    assert said["found_within"] == {"5": 1.0, "10": 1.0, "25": 1.0}
    assert said["farthest_stand_in"] == 0
    assert sum(segment["kept"] for segment in said["segments"]) == 30
    assert said["bytes"] < said["bytes_before"]
    assert len(PlaceMap.load(tmp_path / "small")) == 30
    assert run(*arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert run("prune", campus, "--output", tmp_path / "other", "--similarity", "0.95") == 0
    out = capsys.readouterr().out
    assert "30 of 60 places" in out
    assert "100.0 % within 5 m" in out
    assert run("prune", tmp_path / "other", "--output", tmp_path / "third") == 0
    assert "nothing: no place can stand for another" in capsys.readouterr().out


def test_pruning_a_map_without_places_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write_map(tmp_path / "empty", {})
    assert run("prune", empty, "--output", tmp_path / "small") == 2
    assert capsys.readouterr().err == f"selavpr: {empty} has no places to prune\n"
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("option", "value", "which"),
    [
        ("--similarity", "2", "from -1 to 1"),
        ("--similarity", "nan", "from -1 to 1"),
        ("--heading", "181", "from 0 to 180"),
        ("--distance", "0", "from 0.01 to 100000"),
        ("--distance", "nan", "from 0.01 to 100000"),
    ],
)
def test_pruning_by_rules_that_make_no_sense_is_one_line(
    option: str, value: str, which: str, street: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as exit_:
        run("prune", street / "campus", "--output", tmp_path / "small", option, value)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"argument {option}: '{value}' is not a number {which}" in error
    assert not (tmp_path / "small").exists()


def test_view(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "campus.html"
    assert run("view", street / "campus", "--output", output) == 0
    assert "campus.html: 5 places, " in capsys.readouterr().out
    assert "The weights are untrained" in output.read_text()


def test_view_of_a_query_bag(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "drive.html"
    arguments = ["view", street / "campus", "--queries", street / "drive", "--output", output]
    assert run(*arguments, "--device", "cpu", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["places"], said["drive"]["queries"]) == (5, 5)
    # It is the drive that the map was made of.
    assert said["drive"]["median_error"] == pytest.approx(0, abs=0.01)
    assert said["drive"]["name"] == "drive"
    arguments += ["--query-distance", "8", "--device", "cpu"]
    assert run(*arguments) == 0
    assert "3 queries, median error" in capsys.readouterr().out


def test_a_query_bag_that_is_not_there_is_told_at_once(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert run("view", street / "campus", "--queries", "nowhere", "--output", page) == 2
    assert capsys.readouterr().err == "selavpr: no such bag: nowhere; check the path\n"


@pytest.mark.parametrize(
    "arguments", [["export", "--format", "kml"], ["view"], ["view", "--queries", "{street}/drive"]]
)
def test_a_file_that_cannot_be_written_is_told_before_the_work(
    street: Path,
    tmp_path: Path,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tool, *options = (argument.format(street=street) for argument in arguments)
    for place in ("export.loaded", "view.loaded", "view._asked"):
        monkeypatch.setattr(
            f"selavpr_ros.cli.map_tools.{place}", lambda *_: pytest.fail("the map was opened")
        )
    output = tmp_path / "none" / "file"
    assert run(tool, street / "campus", *options, "--output", output) == 2
    said = f"{output} cannot be written: there is no folder {output.parent}; give another name"
    assert capsys.readouterr().err == f"selavpr: {said}\n"
