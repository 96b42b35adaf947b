from __future__ import annotations

import json
from pathlib import Path

import pytest

from selavpr_core.describer import load_describer
from selavpr_core.place_map import PlaceMap
from selavpr_ros.cli.main import main


def test_converted_weights_are_the_same_weights(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A map made with the one can be asked with the other."""
    output = tmp_path / "tiny.safetensors"
    assert main(["convert-weights", "random:tiny", "--output", str(output), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["fingerprint"] == PlaceMap.load(street / "campus").model.fingerprint
    assert said["size_bytes"] == output.stat().st_size
    arguments = ["query", str(street / "campus"), str(street / "1.png")]
    assert main([*arguments, "--weights", str(output), "--device", "cpu"]) == 0


def test_the_fingerprint_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "tiny.safetensors"
    assert main(["convert-weights", "random:tiny", "--output", str(output)]) == 0
    assert capsys.readouterr().out.startswith(f"{output}: 27.7 MB, fingerprint ")


def test_half_the_size_has_a_fingerprint_of_its_own(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "half.safetensors"
    assert (
        main(["convert-weights", "random:tiny", "--half", "--output", str(output), "--json"]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert said["size_bytes"] < 16e6
    assert said["fingerprint"] != PlaceMap.load(street / "campus").model.fingerprint
    assert said["fingerprint"] == load_describer(str(output), device="cpu").fingerprint
