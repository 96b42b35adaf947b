from __future__ import annotations

import json
import math
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.place_map import MapWriter, PlaceMap
from selavpr_ros.bags import BagReader
from selavpr_ros.cli.main import main
from test.selavpr_ros.cli.conftest import Command


def run(*arguments: object) -> int:
    return main(["query", *map(str, arguments), "--device", "cpu"])


def test_each_image_finds_its_own_place(selavpr: Command, street: Path) -> None:
    images = [street / f"{i}.png" for i in range(5)]
    done = selavpr("query", street / "campus", *images, "--top", 3, "--json", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    place_map = PlaceMap.load(street / "campus")
    assert said["fingerprint"] == place_map.model.fingerprint
    assert (said["weights"], said["mode"], said["failed"]) == ("random:tiny", "two-stage", [])
    assert [query["image"] for query in said["queries"]] == [str(image) for image in images]
    for i, query in enumerate(said["queries"]):
        matches = query["matches"]
        assert [match["rank"] for match in matches] == [0, 1, 2]
        best = matches[0]
        assert best["place"] == i
        assert best["similarity"] > 0.9
        assert best["session"] == "drive"
        assert best["latitude"] == pytest.approx(55.7 + 4.2 * i / 111_353, abs=1e-7)
        assert best["longitude"] == pytest.approx(13.2, abs=1e-7)
        assert best["altitude"] == pytest.approx(40)
        np.testing.assert_allclose(best["position"], place_map.positions[i])
        assert best["heading"] == pytest.approx(math.pi / 2, abs=0.05)
        similarities = [match["similarity"] for match in matches]
        assert similarities == sorted(similarities, reverse=True)


def test_the_table_has_a_row_a_match(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(street / "campus", street / "2.png", "--top", 2) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "5 places" in lines[0]
    assert "fingerprint" in lines[0]
    at = lines.index(str(street / "2.png"))
    assert lines[at + 1].split()[:4] == ["rank", "place", "similarity", "hamming"]
    first = lines[at + 2].split()
    assert first[:2] == ["1", "2"]
    assert first[-1] == "drive"
    assert first[-2] == "89"  # north, in degrees on the grid
    assert len(lines) == at + 4


@pytest.mark.parametrize("mode", ["code", "float"])
def test_modes(street: Path, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(street / "campus", street / "3.png", "--mode", mode, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    best = said["queries"][0]["matches"][0]
    assert said["mode"] == mode
    assert best["place"] == 3
    assert (best["hamming"] is None) == (mode == "float")


def test_candidates_limit_the_first_stage(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(street / "campus", street / "3.png", "--candidates", 2, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["queries"][0]["matches"]) == 2


def test_images_that_cannot_be_read_are_named_and_the_others_go_on(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    images = [tmp_path / "none.jpg", street / "1.png", broken, street / "4.png"]
    assert run(street / "campus", *images, "--json") == 0
    out, error = capsys.readouterr()
    said = json.loads(out)
    assert [q["matches"][0]["place"] for q in said["queries"]] == [1, 4]
    assert [f["image"] for f in said["failed"]] == [str(images[0]), str(broken)]
    assert f"warning: {images[0]}: No such file" in error
    assert f"warning: {broken}: is not an image" in error
    assert "warning: 2 of 4 images left out" in error


def test_no_readable_image_is_an_error(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    assert run(street / "campus", empty) == 2
    assert f"selavpr: {empty}: is not an image" in capsys.readouterr().err


def test_no_image_brings_down_the_others(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    huge = tmp_path / "huge.png"
    huge.write_bytes(
        b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + struct.pack(">I", zlib.crc32(header)) + bytes(99)
    )
    long = tmp_path / f"{300 * 'a'}.jpg"
    assert run(street / "campus", tmp_path, long, huge, street / "1.png", "--json") == 0
    out, error = capsys.readouterr()
    said = json.loads(out)
    assert [query["image"] for query in said["queries"]] == [str(street / "1.png")]
    assert f"{tmp_path}: Is a directory\n" in error
    assert f"{long}: File name too long\n" in error
    assert f"{huge}: is not an image that can be decoded\n" in error
    assert run(street / "campus", long) == 2
    assert f"selavpr: no such image: {long}" in capsys.readouterr().err


def test_a_folder_of_images_says_how_to_give_them(
    street: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(street / "campus", street) == 2
    expected = f"selavpr: {street} is a folder: give the images in it, as {street}/*.jpg\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("weights", [[], ["--weights", "random:tiny"]], ids=["own", "given"])
def test_a_map_in_which_nothing_can_be_found_is_told_at_once(
    street: Path, tmp_path: Path, weights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place_map = PlaceMap.load(street / "campus")
    with MapWriter(tmp_path / "empty", place_map.model, place_map.datum):
        pass
    assert run(tmp_path / "empty", street / "1.png", *weights) == 2
    assert capsys.readouterr() == (
        "", f"selavpr: {tmp_path / 'empty'} has no places: add a bag with `selavpr build-map`\n"
    )  # fmt: skip
    assert run(tmp_path / "none", street / "1.png", *weights) == 2
    assert capsys.readouterr().err.startswith(f"selavpr: there is no place map at {tmp_path}")


def test_an_image_that_is_none_is_one_line(selavpr: Command, street: Path, tmp_path: Path) -> None:
    """OpenCV has words of its own for some."""
    gif = tmp_path / "x.gif"
    gif.write_bytes(b"GIF89a" + bytes(20))
    done = selavpr("query", street / "campus", gif, "--device", "cpu")
    assert done.returncode == 2
    (said,) = (line for line in done.stderr.splitlines() if "weights" not in line)
    assert said == f"selavpr: {gif}: is not an image that can be decoded"


def test_other_weights_are_refused(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(street / "campus", street / "1.png", "--weights", "random:small") == 2
    assert "pass --weights random:tiny" in capsys.readouterr().err.splitlines()[-1]


def test_weights_that_moved_are_asked_for(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campus = tmp_path / "campus"
    shutil.copytree(street / "campus", campus)
    manifest = json.loads((campus / "map.json").read_text())
    manifest["model"]["source"] = "/elsewhere/own.safetensors"
    (campus / "map.json").write_text(json.dumps(manifest))
    assert run(campus, street / "1.png") == 2
    error = capsys.readouterr().err
    assert "/elsewhere/own.safetensors" in error
    assert "pass --weights" in error
    assert run(campus, street / "1.png", "--weights", "random:tiny") == 0


@pytest.mark.shared
def test_photos_of_a_street_are_found_beside_where_they_were_taken(
    tiny_weights: str, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the top match alone; by chance 0.12 would be, and 0.64 by untrained weights."""
    bags, place_map = shared / "data" / "bags", tmp_path / "lund"
    build = ["build-map", str(bags / "lund_map_even"), "--output", str(place_map)]
    options = ["--keyframe-distance", "0", "--weights", tiny_weights, "--device", "cpu"]
    assert main([*build, *options]) == 0
    fixes = {}
    with BagReader(bags / "lund_query_odd") as bag:
        for topic, _, message in bag.messages(set(bag.topics)):
            photo = tmp_path / f"{message.header.stamp.sec}.jpg"
            if topic == "/fix":
                fixes[str(photo)] = (message.latitude, message.longitude)
            else:
                photo.write_bytes(bytes(message.data))
    capsys.readouterr()
    assert run(place_map, *fixes, "--top", "1", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["weights"] == tiny_weights
    datum = PlaceMap.load(place_map).datum
    assert datum is not None
    errors = []
    for query in said["queries"]:
        (best,) = query["matches"]
        taken = datum.to_map(*fixes[query["image"]])
        errors.append(math.dist(best["position"][:2], taken[:2]))
    assert len(errors) == 14
    assert np.mean(np.array(errors) < 10) >= 0.7
