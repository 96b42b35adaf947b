from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selavpr_core.camera import CameraModel
from selavpr_core.errors import MapError
from selavpr_core.place_map import Calibration, ModelInfo, read_manifest
from selavpr_core.place_map.manifest import (
    Manifest,
    SegmentInfo,
    StoredFile,
    check_same_model,
    write_manifest,
)

from .maps import CAMERA, LUND, MODEL

LENS = ("segments", 0, "camera")
SHA = "0123456789abcdef" * 4
SEGMENTS = (
    SegmentInfo("a", "/bags/ä.mcap", "2026-01-02T03:04:05+00:00", 3, 1, 9,
                StoredFile("segments/a.safetensors", 5000, SHA),
                StoredFile("thumbnails/a.safetensors", 4200, SHA)),
    SegmentInfo("b", "b", "2026-01-02T03:04:06+00:00", 1, -5, -5,
                StoredFile("segments/b.safetensors", 4999, SHA), None),
)  # fmt: skip
CALIBRATION = Calibration(
    similarity=0.61, margin=0.03, wanted_precision=0.99, precision=0.992, precision_bound=0.974,
    recall=0.8, queries=410, outside=500, radius=25.0, mode="two-stage", candidates=100,
    places=4, source="the drive ä.mcap", created="2026-01-02T03:04:07+00:00",
)  # fmt: skip


def write(folder: Path, manifest: Manifest) -> dict[str, Any]:
    write_manifest(folder, manifest, folder / "new")
    entries: dict[str, Any] = json.loads((folder / "map.json").read_text("utf-8"))
    return entries


@pytest.mark.parametrize("datum", [LUND, None])
def test_what_is_written_is_read(tmp_path: Path, datum) -> None:
    manifest = Manifest(MODEL, datum, SEGMENTS)
    write(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert manifest.count == 4
    assert [p.name for p in tmp_path.iterdir()] == ["map.json"]


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = Manifest(MODEL, LUND, SEGMENTS, CALIBRATION)
    assert write(tmp_path, manifest)["calibration"] == vars(CALIBRATION)
    assert read_manifest(tmp_path) == manifest
    assert write(tmp_path, Manifest(MODEL, LUND, SEGMENTS))["calibration"] is None


def test_version_1_is_read(tmp_path: Path) -> None:
    """It had no calibration."""
    entries = write(tmp_path, Manifest(MODEL, LUND, SEGMENTS))
    del entries["calibration"]
    (tmp_path / "map.json").write_text(json.dumps({**entries, "version": 1}))
    manifest = read_manifest(tmp_path)
    assert manifest == Manifest(MODEL, LUND, SEGMENTS, None, version=1)
    (tmp_path / "map.json").write_text(json.dumps({**entries, "version": 1, "calibration": None}))
    with pytest.raises(MapError, match="unknown entry 'calibration'"):
        read_manifest(tmp_path)


def test_a_camera_is_read_as_it_was_written(tmp_path: Path) -> None:
    fisheye = CameraModel(800, 800, 300.0, 300.0, 399.5, 399.5, (0.1, 0.0, 0.0, 0.0), "equidistant")
    for camera in (CAMERA, replace(CAMERA, distortion=()), fisheye):
        manifest = Manifest(
            MODEL, LUND, (replace(SEGMENTS[0], camera=camera), SEGMENTS[1]), None, 3
        )
        entries = write(tmp_path, manifest)
        assert [segment["camera"] is None for segment in entries["segments"]] == [False, True]
        assert read_manifest(tmp_path) == manifest


def test_older_programs_can_read_a_map_that_names_no_camera(tmp_path: Path) -> None:
    entries = write(tmp_path, Manifest(MODEL, LUND, SEGMENTS, version=3))
    assert entries["version"] == 2
    assert all("camera" not in segment for segment in entries["segments"])
    entries["segments"][0]["camera"] = None
    (tmp_path / "map.json").write_text(json.dumps(entries))
    with pytest.raises(MapError, match="segment 'a' has an unknown entry 'camera'"):
        read_manifest(tmp_path)


def test_a_branch_that_is_missing_is_null(tmp_path: Path) -> None:
    model = ModelInfo("0" * 64, "base", "base", True, descriptor_dim=None, code_bytes=64)
    entries = write(tmp_path, Manifest(model, None, ()))
    assert entries["model"]["descriptor_dim"] is None
    assert read_manifest(tmp_path).model == model


def test_the_model_is_taken_from_the_describer() -> None:
    describer = SimpleNamespace(
        fingerprint="c" * 64, source="base", preset="base", pretrained=True,
        descriptor_dim=2048, code_bytes=64, device="cpu", precision="fp32",
    )  # fmt: skip
    assert ModelInfo.from_describer(describer) == ModelInfo(
        "c" * 64, "base", "base", True, 2048, 64
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"fingerprint": "xyz"}, "fingerprint"),
        ({"descriptor_dim": None, "code_bytes": None}, "neither"),
        ({"descriptor_dim": 0}, "0 entries"),
    ],
)
def test_impossible_models_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(MapError, match=problem):
        ModelInfo(**{**vars(MODEL), **change})


def test_a_missing_map_and_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"no place map at .*nowhere"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(MapError, match="not a place map"):
        read_manifest(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(MapError, match="is a file"):
        read_manifest(tmp_path / "file")


@pytest.mark.parametrize(
    "text", ["", "{", '{"format": "selavpr place map"', "\xff\xfe", "[" * 5000]
)
def test_damaged_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(MapError, match="damaged"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"format": "other", "version": 1}'])
def test_json_of_something_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(MapError, match="not the manifest of a place map"):
        read_manifest(tmp_path)


def test_a_newer_version_says_so(tmp_path: Path) -> None:
    entries = write(tmp_path, Manifest(MODEL, None, ()))
    (tmp_path / "map.json").write_text(json.dumps({**entries, "version": 4, "new": []}))
    with pytest.raises(MapError, match="format 4, newer than this program's 3: update"):
        read_manifest(tmp_path)


def edit(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def change(entries: Any) -> None:
        for key in path[:-1]:
            entries = entries[key]
        entries[path[-1]] = to

    return change


def drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(entries: Any) -> None:
        for key in path[:-1]:
            entries = entries[key]
        del entries[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (edit("version", to=0), "version"),
        (edit("version", to="1"), "version"),
        (edit("version", to=True), "version"),
        (edit("extra", to=1), "unknown entry 'extra'"),
        (drop("datum"), "'datum' of the manifest is missing"),
        (edit("datum", to=[]), "'datum'"),
        (edit("datum", "latitude", to="55"), "latitude"),
        (edit("datum", "latitude", to=91), "latitude"),
        (edit("datum", "altitude", to=float("nan")), "altitude"),
        (edit("datum", "latitude", to=10**400), "latitude"),
        (edit("datum", "zone", to=10**400), "zone"),
        (edit("datum", "zone", to=61), "zone"),
        (drop("datum", "zone"), "zone"),
        (drop("model"), "'model' of the manifest is missing"),
        (edit("model", "fingerprint", to="00"), "fingerprint"),
        (edit("model", "pretrained", to=1), "'pretrained' of the model is 1, not true or false"),
        (edit("model", "code_bytes", to="64"), "'code_bytes'"),
        (edit("model", "code_bytes", to=True), "'code_bytes'"),
        (drop("model", "descriptor_dim"), "'descriptor_dim' of the model is missing"),
        (edit("model", "more", to=1), "unknown entry 'more'"),
        (edit("segments", to={}), "'segments' of the manifest is {}, not an array"),
        (edit("segments", 1, to=7), "segment 2 is not an object"),
        (edit("segments", 0, "name", to=7), "'name' of segment 1 is 7, not a string"),
        (drop("segments", 1, "name"), "'name' of segment 2 is missing"),
        (edit("segments", 0, "name", to="b"), "two segments have the same name 'b'"),
        (edit("segments", 0, "source", to="\ud800"), r"of segment 'a' is '\\ud800', which is no"),
        (edit("segments", 0, "data", "file", to="segments/b.safetensors"), "same file"),
        (edit("segments", 0, "count", to=0), "segment 'a' has impossible"),
        (edit("segments", 0, "count", to=1.5), "'count' of segment 'a' is 1.5, not a whole number"),
        (edit("segments", 0, "first_stamp", to=10), "impossible"),
        (edit("segments", 0, "first_stamp", to=-(10**400)), "impossible"),
        (edit("segments", 0, "last_stamp", to=10**30), "impossible"),
        (edit("segments", 0, "surprise", to=0), "unknown entry 'surprise'"),
        (drop("segments", 0, "source"), "'source' of segment 'a' is missing"),
        (drop("segments", 0, "thumbnails"), "'thumbnails' of segment 'a' is missing"),
        (edit("segments", 1, "thumbnails", to=0), "'thumbnails' of segment 'b' is 0"),
        (drop("segments", 1, "data"), "'data' of segment 'b' is missing"),
        (drop("segments", 1, "data", "bytes"), "'bytes' of 'data' of segment 'b' is missing"),
        (edit("segments", 1, "data", "x", to=0), "'data' of segment 'b' has an unknown entry 'x'"),
        (edit("segments", 0, "data", "sha256", to="0"), "'data' of segment 'a' .* checksum"),
        (edit("segments", 0, "thumbnails", "bytes", to=-1), "'thumbnails' of segment 'a' .* size"),
        (edit("segments", 0, "data", "file", to="a\0b"), "'file' of 'data' of segment 'a' is"),
        (edit("segments", 0, "data", "file", to="/etc/passwd"), "'a' is '/etc/passwd', not a path"),
        (edit("segments", 0, "data", "file", to="segments/../../x"), "inside the map"),
        (edit("segments", 0, "data", "file", to=""), "inside the map"),
        (drop("calibration"), "'calibration' of the manifest is missing"),
        (edit("calibration", to=[]), "'calibration'"),
        (edit("calibration", "more", to=1), "unknown entry 'more'"),
        (drop("calibration", "radius"), "'radius' of the calibration is missing"),
        (edit("calibration", "similarity", to="0.5"), "similarity"),
        (edit("calibration", "similarity", to=float("nan")), "similarity"),
        (edit("calibration", "similarity", to=1.5), "similarity"),
        (edit("calibration", "margin", to=-0.1), "margin"),
        (edit("calibration", "recall", to=1.01), "recall"),
        (edit("calibration", "wanted_precision", to=10**400), "wanted_precision"),
        (edit("calibration", "radius", to=0), "radius"),
        (edit("calibration", "queries", to=1.5), "'queries' of the calibration is 1.5"),
        (edit("calibration", "outside", to=-1), "impossible"),
        (edit("calibration", "candidates", to=0), "impossible"),
        (edit("calibration", "mode", to=None), "'mode'"),
        (drop("segments", 1, "camera"), "'camera' of segment 'b' is missing"),
        (edit("segments", 1, "camera", to=[]), r"'camera' of segment 'b' is \[\], not an object"),
        (edit(*LENS, "more", to=1), "the camera of segment 'a' has an unknown entry 'more'"),
        (drop(*LENS, "fx"), "'fx' of the camera of segment 'a' is missing"),
        (drop(*LENS, "model"), "'model' of the camera of segment 'a' is missing"),
        (drop(*LENS, "distortion"), "'distortion' of the camera of segment 'a' is missing"),
        (edit(*LENS, "fy", to="500"), "'fy' of the camera of segment 'a' is '500', not a number"),
        (edit(*LENS, "cx", to=float("nan")), "'cx' of the camera of segment 'a' is not finite"),
        (edit(*LENS, "cy", to=10**400), "'cy' of the camera of segment 'a' is not finite"),
        (edit(*LENS, "width", to=640.0), "'width' of the camera of segment 'a' is 640.0"),
        (edit(*LENS, "distortion", to=0.1), "'distortion' of the camera of segment 'a' is 0.1"),
        (edit(*LENS, "distortion", 1, to=None), "distortion' of the camera of segment 'a' is"),
        (edit(*LENS, "model", to=3), "'model' of the camera of segment 'a' is 3, not a string"),
    ],
)
def test_every_damage_is_named(tmp_path: Path, change, problem: str) -> None:
    segments = (replace(SEGMENTS[0], camera=CAMERA), SEGMENTS[1])
    entries = write(tmp_path, Manifest(MODEL, LUND, segments, CALIBRATION))
    change(entries)
    (tmp_path / "map.json").write_text(json.dumps(entries))
    with pytest.raises(MapError, match=problem) as error:
        read_manifest(tmp_path)
    assert str(tmp_path / "map.json") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"fx": 0}, "its focal length is zero"),
        ({"fy": 1e9}, "a focal length of 1e+09 pixels"),
        ({"height": 0}, "a picture of 640 x 0 pixels"),
        ({"height": 10**400}, "a picture of 640 x 1000"),
        ({"distortion": [0.1] * 3}, "plumb_bob does not have 3 coefficients"),
        ({"model": "omni"}, "unknown distortion model 'omni'"),
        # It folds the picture, which was not always looked at.
        ({"model": "equidistant", "distortion": [100.0, -100.0, 0, 0]}, "that no lens has"),
    ],
)
def test_a_camera_that_is_refused_takes_no_place_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, Any], problem: str
) -> None:
    manifest = Manifest(MODEL, LUND, (replace(SEGMENTS[0], camera=CAMERA), SEGMENTS[1]))
    entries = write(tmp_path, manifest)
    entries["segments"][0]["camera"].update(change)
    (tmp_path / "map.json").write_text(json.dumps(entries))
    for _ in range(2):  # as a command does, which says it once
        assert read_manifest(tmp_path) == Manifest(MODEL, LUND, SEGMENTS, version=3)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    said = record.getMessage()
    assert said.startswith(f"{tmp_path / 'map.json'}: the camera of segment 'a' is left out, ")
    assert problem in said


def test_other_weights_name_both_fingerprints_and_what_to_do() -> None:
    other = ModelInfo("cd" * 32, "base", "base", True, 16, 8)
    with pytest.raises(MapError) as error:
        check_same_model(Path("campus"), MODEL, other)
    for part in ("campus", "abababababab", "cdcdcdcdcdcd", "--weights random:tiny"):
        assert part in str(error.value)


def test_one_fingerprint_with_other_sizes_is_refused() -> None:
    other = ModelInfo(MODEL.fingerprint, "base", "base", True, 32, 8)
    with pytest.raises(MapError, match="other descriptors"):
        check_same_model(Path("campus"), MODEL, other)
    check_same_model(Path("campus"), MODEL, MODEL)
