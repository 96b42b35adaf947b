from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.place_map import PlaceMap
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
