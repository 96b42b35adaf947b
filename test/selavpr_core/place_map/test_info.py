from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap, map_info, read_manifest
from selavpr_core.place_map.info import size_on_disk

from .maps import CAMERA, LUND, MODEL, places, write_map


def straight(count: int, x: float) -> dict:
    contents = places(count)
    contents["positions"] = [(x, 2.0 * n, 7.0) for n in range(count)]
    contents["stamps"] = [1_600_000_000_123_456_789 + n * 10**9 for n in range(count)]
    return contents


def test_everything_a_person_asks(tmp_path: Path) -> None:
    path = write_map(tmp_path / "campus", {"a": straight(11, 1.0), "b": straight(3, -4.0)})
    info = json.loads(json.dumps(map_info(path)))
    assert info["name"] == "campus"
    assert info["version"] == 2
    assert info["places"] == 14
    assert info["length"] == pytest.approx(24)
    assert info["extent"] == {"min": [-4, 0, 7], "max": [1, 20, 7]}
    assert info["datum"] == LUND.to_json()
    assert info["model"] == vars(MODEL)
    on_disk = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    assert info["bytes"] == on_disk
    first = info["segments"][0]
    assert (first["name"], first["source"], first["places"]) == ("a", "/bags/a.mcap", 11)
    assert first["start"] == "2020-09-13T12:26:40.123Z"
    assert first["end"] == "2020-09-13T12:26:50.123Z"
    assert first["first_stamp"] == 1_600_000_000_123_456_789
    assert first["length"] == pytest.approx(20)
    assert first["thumbnails"] == "present"


def test_thumbnails_left_behind_or_never_made(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(4), "b": places(4, thumbnails=False)})
    with_thumbnails = map_info(path)["bytes"]
    shutil.rmtree(path / "thumbnails")
    info = map_info(path)
    assert [s["thumbnails"] for s in info["segments"]] == ["left behind", "none"]
    assert info["bytes"] == sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    assert info["bytes"] < with_thumbnails


def test_the_camera_of_a_segment(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)}, camera=CAMERA)
    info = json.loads(json.dumps(map_info(write_map(path, {"b": places(4)}))))
    expected = {**vars(CAMERA), "distortion": list(CAMERA.distortion)}
    assert [segment["camera"] for segment in info["segments"]] == [expected, None]
    assert info["version"] == 3


def test_an_empty_map_without_datum(tmp_path: Path) -> None:
    info = map_info(write_map(tmp_path / "m", {}, datum=None))
    assert (info["places"], info["length"], info["extent"], info["datum"]) == (0, 0, None, None)


def test_a_damaged_map_is_refused(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)})
    (path / "segments/a.safetensors").write_bytes(b"")
    with pytest.raises(MapError, match="segment 'a' is damaged"):
        map_info(path)


def test_progress_is_told_every_byte_that_is_verified(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map", {"a": places(9, 1), "b": places(4, 2)})
    stored = sum((path / file).stat().st_size for file in read_manifest(path).files())
    assert size_on_disk(path) == stored + (path / "map.json").stat().st_size
    for read in (map_info, lambda path, progress: PlaceMap.load(path, progress=progress)):
        told: list[int] = []
        read(path, told.append)
        assert sum(told) == stored
    (path / "thumbnails" / "a.safetensors").unlink()
    assert size_on_disk(path) == map_info(path)["bytes"] < stored
