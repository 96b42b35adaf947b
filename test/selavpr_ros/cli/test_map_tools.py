from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selavpr_core.place_map import PlaceMap
from selavpr_ros.cli.main import main


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
